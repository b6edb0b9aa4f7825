// What an optimizer does to all arrays of a network at once: see adam.cpp for the arithmetic.
#include "optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "pool.hpp"
#include "recurrence.hpp"

namespace recurra {

namespace {

// Numbers below which a second thread would save nothing.
constexpr int64_t ALONE = 1 << 16;

}  // namespace

template <class T>
void adam_all(const Table<T>& table, const std::vector<int64_t>& at, const std::vector<int64_t>& sizes, const Adam<T>& step,
              int threads) {
  const size_t arrays = sizes.size();
  int64_t total = 0;
  for (int64_t n : sizes) total += n;
  auto array = [&](size_t kind, size_t j) { return reinterpret_cast<T*>(at[kind * arrays + j]); };
  // two parameters over one memory are changed one after the other
  std::vector<std::pair<int64_t, int64_t>> spans;
  for (size_t j = 0; j < arrays; ++j)
    if (sizes[j] > 0) spans.emplace_back(at[j], at[j] + sizes[j] * int64_t(sizeof(T)));
  std::sort(spans.begin(), spans.end());
  bool apart = total >= ALONE;
  for (size_t j = 1; j < spans.size(); ++j) apart = apart && spans[j - 1].second <= spans[j].first;
  run_in_team(apart ? threads : 1, [&](Team team) {
    FlushDenormals flush;
    const int64_t first = total * team.index / team.size, last = total * (team.index + 1) / team.size;
    int64_t begin = 0;
    for (size_t j = 0; j < arrays; begin += sizes[j++]) {
      const int64_t low = std::max<int64_t>(first - begin, 0), high = std::min(last - begin, sizes[j]);
      if (low < high)
        table.adam(step, array(0, j) + low, array(1, j) + low, array(2, j) + low, array(3, j) + low, high - low);
    }
  });
}

template <class T>
double norm_of_all(const Table<T>& table, const std::vector<int64_t>& at, const std::vector<int64_t>& sizes, int threads) {
  constexpr int64_t PIECE = 1 << 12;  // whoever sums it, the same numbers come together
  struct Piece {
    const T* first;
    int64_t n;
    double sum;
  };
  std::vector<Piece> pieces;
  int64_t total = 0;
  for (size_t j = 0; j < sizes.size(); total += sizes[j++])
    for (int64_t k = 0; k < sizes[j]; k += PIECE)
      pieces.push_back({reinterpret_cast<const T*>(at[j]) + k, std::min(PIECE, sizes[j] - k), 0});
  const auto count = int64_t(pieces.size());
  run_in_team(total < ALONE ? 1 : threads, [&](Team team) {
    for (int64_t j = count * team.index / team.size; j < count * (team.index + 1) / team.size; ++j) {
      Piece& piece = pieces[size_t(j)];
      piece.sum = table.sum_of_squares(piece.first, piece.n);
    }
  });
  double sum = 0;
  for (const Piece& piece : pieces) sum += piece.sum;
  return std::sqrt(sum);
}

template void adam_all<float>(const Table<float>&, const std::vector<int64_t>&, const std::vector<int64_t>&,
                              const Adam<float>&, int);
template void adam_all<double>(const Table<double>&, const std::vector<int64_t>&, const std::vector<int64_t>&,
                               const Adam<double>&, int);
template double norm_of_all<float>(const Table<float>&, const std::vector<int64_t>&, const std::vector<int64_t>&, int);
template double norm_of_all<double>(const Table<double>&, const std::vector<int64_t>&, const std::vector<int64_t>&, int);

}  // namespace recurra
