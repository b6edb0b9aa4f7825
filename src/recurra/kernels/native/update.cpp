#include "update.hpp"

#include <algorithm>
#include <cmath>

#include "recurrence.hpp"
#include "slots.hpp"

namespace recurra {

namespace {

constexpr int64_t PIECE = 4096;
// With fewer pieces a second thread comes too late.
constexpr int64_t FEWEST_SHARED = 8;

struct Piece {
  size_t array;
  int64_t first, n;
};

std::vector<Piece> cut(const std::vector<int64_t>& sizes) {
  std::vector<Piece> pieces;
  for (size_t at = 0; at < sizes.size(); ++at)
    for (int64_t first = 0; first < sizes[at]; first += PIECE)
      pieces.push_back({at, first, std::min(PIECE, sizes[at] - first)});
  return pieces;
}

int worth(int threads, const std::vector<Piece>& pieces) { return int64_t(pieces.size()) < FEWEST_SHARED ? 1 : threads; }

}  // namespace

template <class T>
double norm(const Table<T>& table, const std::vector<const T*>& arrays, const std::vector<int64_t>& sizes, int threads) {
  const std::vector<Piece> pieces = cut(sizes);
  std::vector<double> sums(pieces.size());
  Grant grant(worth(threads, pieces));
  for_each(int64_t(pieces.size()), grant, [&](int64_t j) {
    const Piece& p = pieces[size_t(j)];
    sums[size_t(j)] = double(table.sum_of_squares(arrays[p.array] + p.first, p.n));
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

template <class T>
void adam(const Table<T>& table, const AdamRule& rule, std::vector<Adam<T>>& what, const std::vector<T*>& steps,
          int threads) {
  std::vector<int64_t> sizes;
  for (size_t at = 0; at < what.size(); ++at) {
    Adam<T>& a = what[at];
    const double taken = double(*steps[at] += 1);
    a.l2 = T(rule.decoupled ? 0 : rule.weight_decay);
    a.keep = T(rule.decoupled ? 1 - rule.rate * rule.weight_decay : 1);
    a.new1 = T(1 - rule.beta1);
    a.beta2 = T(rule.beta2);
    a.new2 = T(1 - rule.beta2);
    a.eps = T(rule.eps);
    a.rate = T(rule.rate / (1 - std::pow(rule.beta1, taken)));
    a.root = T(1 / std::sqrt(1 - std::pow(rule.beta2, taken)));
    sizes.push_back(a.n);
  }
  const std::vector<Piece> pieces = cut(sizes);
  Grant grant(worth(threads, pieces));
  for_each(int64_t(pieces.size()), grant, [&](int64_t j) {
    const Piece& p = pieces[size_t(j)];
    Adam<T> part = what[p.array];
    part.n = p.n;
    part.weight += p.first;
    part.gradient += p.first;
    part.first += p.first;
    part.second += p.first;
    table.adam(part);
  });
}

template double norm<float>(const Table<float>&, const std::vector<const float*>&, const std::vector<int64_t>&, int);
template double norm<double>(const Table<double>&, const std::vector<const double*>&, const std::vector<int64_t>&, int);
template void adam<float>(const Table<float>&, const AdamRule&, std::vector<Adam<float>>&, const std::vector<float*>&, int);
template void adam<double>(const Table<double>&, const AdamRule&, std::vector<Adam<double>>&, const std::vector<double*>&,
                           int);

}  // namespace recurra
