// What each cell is: its number, its gates, what it carries on. Who packs weights, saves gates or sums gradients reads this
// and asks for no cell by its name; the steps themselves stand in the file of each cell.
#pragma once

#include <cstdint>

namespace recurra {

enum class Cell { rnn_tanh = 0, rnn_relu = 1, lstm = 2, gru = 3 };  // `code` of ../cell.py
constexpr int CELLS = 4;

struct Traits {
  int64_t together;         // gates whose products with input and state are added up
  bool candidate = false;   // one more gate, the last, whose two products stay apart, and so do its two biases
  bool cell_state = false;  // a second state, c
  bool blends = false;      // the new state is the old one in part: backward leaves that part in dh, and needs the old state
  bool relu = false;        // max(0, .) in place of tanh
  constexpr int64_t gates() const { return together + candidate; }
  // Blocks of a saved row: the gates, and behind those added up the state's product of the candidate.
  constexpr int64_t saved() const { return together + 2 * candidate; }
};

constexpr Traits traits_of(Cell cell) {
  switch (cell) {
    case Cell::lstm: return {4, false, true};
    case Cell::gru: return {2, true, false, true};
    case Cell::rnn_relu: return {1, false, false, false, true};
    default: return {1};
  }
}

}  // namespace recurra
