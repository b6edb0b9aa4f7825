#include "slots.hpp"

#include <algorithm>
#include <numeric>

namespace recurra {

namespace {

// Rows beyond which more of them in one step gain nothing.
constexpr int64_t MOST_SLOTS = 60;
// Multiply-adds below which waking a thread costs more than it saves.
constexpr double ALONE = 400e3;

std::vector<int64_t> longest_first(const int64_t* lengths, int64_t batch) {
  std::vector<int64_t> order;
  for (int64_t b = 0; b < batch; ++b)
    if (lengths[b] > 0) order.push_back(b);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  return order;
}

// Deals sequences to `n` heaps, each to the one with least so far.
std::vector<std::vector<int64_t>> deal(const std::vector<int64_t>& sequences, const int64_t* lengths, int64_t n) {
  std::vector<std::vector<int64_t>> heaps(static_cast<size_t>(n));
  std::vector<int64_t> sum(static_cast<size_t>(n), 0);
  for (int64_t seq : sequences) {
    const auto least = size_t(std::min_element(sum.begin(), sum.end()) - sum.begin());
    heaps[least].push_back(seq);
    sum[least] += lengths[seq];
  }
  return heaps;
}

// Slots for a share: few keep every step full until the end, many spread the weights over more rows.
int64_t best_slots(const std::vector<int64_t>& sequences, const int64_t* lengths) {
  const int64_t n = int64_t(sequences.size());
  int64_t total = 0;
  for (int64_t seq : sequences) total += lengths[seq];
  int64_t best = 1;
  double least = -1;
  for (int64_t tiles = 1; tiles <= MOST_SLOTS / 6; ++tiles) {
    const int64_t slots = std::min(n, tiles * 6);
    std::vector<int64_t> sum(static_cast<size_t>(slots), 0);
    for (int64_t seq : sequences) *std::min_element(sum.begin(), sum.end()) += lengths[seq];
    std::sort(sum.begin(), sum.end(), std::greater<int64_t>());
    // A step of r rows costs r, and something for each tile and for itself.
    auto cost = [](int64_t r) { return double(r) + 1.0 * double((r + 5) / 6) + 2.0; };
    double time = 0;
    for (int64_t r = slots; r >= 1; --r) {
      const int64_t shorter = r < slots ? sum[size_t(r)] : 0;
      time += double(sum[size_t(r - 1)] - shorter) * cost(r);
    }
    if (least < 0 || time < least) {
      least = time;
      best = slots;
    }
    if (slots == n) break;
  }
  return best;
}

}  // namespace

Slots::Slots(const std::vector<int64_t>& sequences, const int64_t* lengths, int64_t slots)
    : queue_(std::make_shared<std::vector<std::vector<int64_t>>>(deal(sequences, lengths, slots))),
      lengths_(lengths),
      state_(static_cast<size_t>(slots)) {}

bool Slots::next() {
  places_.clear();
  for (size_t slot = 0; slot < state_.size(); ++slot) {
    State& s = state_[slot];
    const std::vector<int64_t>& queue = (*queue_)[slot];
    if (s.at >= int64_t(queue.size())) continue;
    if (++s.tau == lengths_[queue[size_t(s.at)]]) {
      s.tau = 0;
      if (++s.at >= int64_t(queue.size())) continue;
    }
    places_.push_back({queue[size_t(s.at)], s.tau, int64_t(slot)});
  }
  return !places_.empty();
}

Plan::Plan(const int64_t* lengths, int64_t batch, int64_t d, int threads, int mode, const Sizes& sizes)
    : parts(threads > 1 ? threads : 1), directions(d), flat(static_cast<size_t>(batch) + 1, 0),
      shares(static_cast<size_t>(parts * d)) {
  std::partial_sum(lengths, lengths + batch, flat.begin() + 1);
  sequences.assign(static_cast<size_t>(d), longest_first(lengths, batch));
  const int64_t rows = int64_t(sequences[0].size());
  if (parts > 1 && !sizes.projected && !sizes.variant.any) {
    // Too few rows for each thread, or weights too large for one cache: share out the hidden units instead.
    const bool few = rows * d < 3 * parts && sizes.blocks >= 2 * parts && d % parts != 0;
    const int64_t numbers = sizes.gates * sizes.padded * sizes.P;
    const bool wide = (numbers > 3 * 128 * 1024 && rows <= 12 * parts) || (numbers > 192 * 1024 && rows <= 5 * parts);
    split = mode == 2 || (mode == 0 && (few || wide));
  }
  barrier_ = std::make_unique<Barrier>(split ? parts : 1);
  if (split) return;
  if (d == 2 && parts % 2 == 0) {
    for (int64_t side = 0; side < 2; ++side) {
      auto heaps = deal(sequences[size_t(side)], lengths, parts / 2);
      for (int64_t j = 0; j < parts / 2; ++j) shares[size_t((j * 2 + side) * d + side)].sequences = heaps[size_t(j)];
    }
  } else {
    for (int64_t side = 0; side < d; ++side) {
      auto heaps = deal(sequences[size_t(side)], lengths, parts);
      for (int64_t j = 0; j < parts; ++j) shares[size_t(j * d + side)].sequences = heaps[size_t(j)];
    }
  }
  const Share* before = nullptr;  // the two directions often have the same sequences
  for (Share& share : shares) {
    if (share.sequences.empty()) continue;
    const bool same = before && before->sequences == share.sequences;
    share.slots = same ? before->slots : best_slots(share.sequences, lengths);
    before = &share;
  }
}

int worth(int threads, const int64_t* lengths, int64_t batch, int64_t directions, const Sizes& s) {
  const double steps = double(std::accumulate(lengths, lengths + batch, int64_t(0)) * directions);
  return steps * double(s.gates * s.H * (s.I + s.P)) < ALONE ? 1 : threads;
}

namespace {
template <class T> Memory& scratch() {
  thread_local Memory memory;
  return memory;
}
}  // namespace

template <class T> T* Rows<T>::reserve(int64_t numbers) {
  return static_cast<T*>(scratch<T>().reserve(size_t(numbers) * sizeof(T)));
}

template struct Rows<float>;
template struct Rows<double>;

}  // namespace recurra
