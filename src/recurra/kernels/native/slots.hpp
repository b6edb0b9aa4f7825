// Who runs which sequence, and in which order: shares of threads, slots of a share, steps of a slot.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "pool.hpp"
#include "recurrence.hpp"

namespace recurra {

// One row of one step: a sequence at its own step `tau`, counted in the order of computation.
struct Place {
  int64_t seq, tau, slot;
};

// Sequences dealt out to slots; each slot runs its own back to back. Copy it to look ahead.
class Slots {
 public:
  // Longest first, each to the slot that is free soonest: all slots end at nearly the same time.
  Slots(const std::vector<int64_t>& longest_first, const int64_t* lengths, int64_t slots);
  int64_t count() const { return int64_t(queue_->size()); }
  // Moves on by one step; false when every slot is done.
  bool next();
  const std::vector<Place>& places() const { return places_; }

 private:
  struct State {
    int64_t at = 0, tau = -1;
  };
  std::shared_ptr<const std::vector<std::vector<int64_t>>> queue_;
  const int64_t* lengths_;
  std::vector<State> state_;
  std::vector<Place> places_;
};

struct Share {
  std::vector<int64_t> sequences;  // longest first
  int64_t slots = 0;
};

// Either each part runs its own sequences (shares), or all threads of a team run all sequences, each a span of the
// hidden units. There may be fewer threads than parts: a thread takes every so-many-th.
struct Plan {
  Plan(const int64_t* lengths, int64_t batch, int64_t directions, int threads, int mode, const Sizes& sizes);
  int parts;
  bool split = false;
  int64_t directions;
  std::vector<int64_t> flat;                    // first flat row of each sequence, and the end
  std::vector<std::vector<int64_t>> sequences;  // of each direction, longest first, empty ones left out
  std::vector<Share> shares;                    // parts x directions
  const Share& share(int part, int64_t direction) const { return shares[size_t(part * directions + direction)]; }
  int64_t slots(int64_t direction) const { return int64_t(sequences[size_t(direction)].size()); }
  Barrier& barrier() const { return *barrier_; }

 private:
  std::unique_ptr<Barrier> barrier_;
};

// The panels of one thread and the hidden units in them.
struct Span {
  int64_t panel_first, panel_last, unit_first, unit_last;
  Team team;
  Barrier* barrier;  // null when the thread works alone
  void meet() const {
    if (barrier) barrier->wait(team);
  }
  static Span of(Team team, int64_t panels, int64_t units_per_panel, Barrier* barrier) {
    const int64_t first = panels * team.index / team.size, last = panels * (team.index + 1) / team.size;
    return {first, last, first * units_per_panel, last * units_per_panel, team, barrier};
  }
};

// How many of the threads a pass over a layer is worth: few numbers are done before a second one is there.
int worth(int threads, const int64_t* lengths, int64_t batch, int64_t directions, const Sizes& sizes);

// Pointers of the rows of a step, and scratch memory that each thread keeps between calls.
template <class T> struct Rows {
  explicit Rows(int64_t n)
      : x(n), pre(n), h(n), c_prev(n), dout(n), c(n), gates(n), out(n), m(n), dh(n), dc(n), hidden(n), m_out(n),
        drop(n), zone(n), sums(n), dreset(n) {}
  T* reserve(int64_t numbers);
  std::vector<const T*> x, pre, h, c_prev, dout;
  std::vector<T*> c, gates, out, m, dh, dc, hidden, m_out;
  std::vector<const T*> drop, zone;  // of a variant, as the next line
  std::vector<T*> sums, dreset;
  std::vector<const T*> ahead_x;
  std::vector<T*> ahead_pre;
  T* pre_buffer = nullptr;
};

}  // namespace recurra
