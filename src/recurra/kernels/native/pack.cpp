// torch's weights into panels; see kernels.hpp for the layout.
#include <algorithm>
#include <cstring>

#include "recurrence.hpp"
#include "slots.hpp"

namespace recurra {

Sizes make_sizes(Cell cell, int64_t I, int64_t H, int64_t P, bool projected, int64_t lanes,
                 const Variant& variant) {
  Sizes s{};
  s.cell = cell;
  s.traits = traits_of(cell);
  s.I = I;
  s.H = H;
  s.P = P;
  s.projected = projected;
  s.w = lanes;
  s.blocks = (H + lanes - 1) / lanes;
  s.padded = s.blocks * lanes;
  s.gates = s.traits.gates();
  // One vector more than needed: rows a power of two apart would all fall into the same few sets of the cache.
  s.saved = s.traits.saved() * s.padded + lanes;
  s.variant = variant;
  s.narrow = cell == Cell::lstm && !variant.any && s.rest() && s.gates * s.rest() <= lanes;
  if (variant.norm) {
    // normalized products of state and input, and four statistics: see variant_units.hpp
    s.by_input = s.gates * s.padded;
    s.saved = 2 * s.by_input + (4 + lanes - 1) / lanes * lanes;
    s.sums = (s.traits.cell_state ? 14 : 12) * s.padded;
  }
  if (variant.peephole) s.sums += 3 * s.padded;
  return s;
}

namespace {

int64_t vectors_of(int64_t columns, int64_t w) { return (columns + w - 1) / w; }

// Number of a panel matrix, tail panel included.
int64_t numbers(int64_t K, int64_t vectors, int64_t w) { return K * vectors * w; }

// Hands out memory in whole cache lines.
template <class T> struct Lines {
  T* free;
  static int64_t rounded(int64_t count) {
    const int64_t line = 64 / int64_t(sizeof(T));
    return (count + line - 1) / line * line;
  }
  T* take(int64_t count) {
    T* here = free;
    free += rounded(count);
    return here;
  }
};

}  // namespace

template <class T>
Weights<T>::Weights(const Table<T>& t, const Sizes& s, bool back) : table(t), sizes(s), has_back(back) {
  auto lines = [](int64_t count) { return Lines<T>::rounded(count); };
  const int64_t columns = s.gates * s.blocks, p = vectors_of(s.P, s.w), i = vectors_of(s.I, s.w);
  const Variant& v = s.variant;
  const int64_t recurrent = v.before ? lines(numbers(s.P, 2 * s.blocks, s.w)) + lines(numbers(s.P, s.blocks, s.w))
                                     : lines(numbers(s.P, columns, s.w));
  const int64_t extras = (v.norm ? 2 * lines(columns * s.w) + 2 * lines(s.padded) : 0) + (v.peephole ? lines(3 * s.padded) : 0);
  const int64_t forward = lines(numbers(s.I, columns, s.w)) + recurrent + lines(columns * s.w) + lines(s.padded) + extras +
                          (s.projected ? lines(numbers(s.H, p, s.w)) : 0);
  int64_t backward = 0;
  if (back) {
    backward = lines(numbers(s.gates * s.H, p, s.w)) + lines(numbers(s.gates * s.H, i, s.w));
    if (v.before) backward += lines(1);  // the candidate's recurrent weights stand apart
    if (s.projected) backward += lines(numbers(s.P, s.blocks, s.w));
  }
  forward_ = static_cast<T*>(memory_.reserve(size_t(forward + backward) * sizeof(T)));
  back_ = forward_ + forward;
}

template <class T> void Weights<T>::pack_forward(const Raw<T>& raw) {
  const Sizes& s = sizes;
  Lines<T> lines{forward_};
  auto take = [&](int64_t count) { return lines.take(count); };
  const int64_t w = s.w, G = s.gates, together = s.traits.together, columns = G * s.blocks;
  // Column vector v of the panels belongs to gate first + v % count of block v / count.
  auto pack = [&](const T* weight, int64_t K, int64_t first, int64_t count) {
    const int64_t whole = count * (s.narrow ? s.H / w : s.blocks), columns = whole + s.narrow;
    const int64_t per_panel = count < 3 ? 4 : count;
    T* data = take(numbers(K, columns, w));
    for (int64_t v = 0; v < whole; ++v) {
      const int64_t panel = v / per_panel, width = std::min(per_panel, columns - panel * per_panel);
      const int64_t gate = first + v % count, unit = v / count * w;
      T* dst = data + panel * per_panel * w * K + (v - panel * per_panel) * w;
      pack_vector(table, weight + (gate * s.H + unit) * K, std::min(w, s.H - unit), K, dst, width * w);
    }
    if (s.narrow) {
      T* dst = data + whole * w * K;
      std::fill_n(dst, w * K, T(0));
      for (int64_t gate = 0; gate < count; ++gate)
        table.transpose(weight + ((gate + 1) * s.H - s.rest()) * K, s.rest(), K, K, dst + gate * s.rest(), w);
    }
    return Panels<T>{data, K, per_panel, columns, {1, {{0, K}}}};
  };
  ih = pack(raw.weight_ih, s.I, 0, G);
  hh = pack(raw.weight_hh, s.P, 0, s.variant.before ? together : G);
  if (s.variant.before) hn = pack(raw.weight_hh, s.P, together, 1);
  T* sums = take(columns * w);
  T* candidate = take(s.padded);
  std::fill(candidate, candidate + s.padded, T(0));
  for (int64_t v = 0; v < columns; ++v) {
    for (int64_t lane = 0; lane < w; ++lane) {
      const bool shared = s.narrow && v / G * w + w > s.H;
      const int64_t gate = shared ? lane / s.rest() : v % G, unit = v / G * w + (shared ? lane % s.rest() : lane);
      const bool valid = unit < s.H && gate < G && (!shared || v % G == 0);
      const T a = valid && raw.bias_ih ? raw.bias_ih[gate * s.H + unit] : T(0);
      const T b = valid && raw.bias_hh ? raw.bias_hh[gate * s.H + unit] : T(0);
      const bool apart = s.traits.candidate && gate == together && !s.variant.before;
      sums[v * w + lane] = apart ? a : a + b;
      if (apart) candidate[unit] = b;
    }
  }
  bias = sums;
  bias_n = candidate;
  // one number for each unit and each of `count` gates, as the columns lie
  auto spread = [&](const T* from, int64_t count) {
    T* to = take(count * s.padded);
    for (int64_t k = 0; k < count * s.padded; ++k) {
      const int64_t gate = k / w % count, unit = k / w / count * w + k % w;
      to[k] = unit < s.H ? from[gate * s.H + unit] : T(0);
    }
    return to;
  };
  if (s.variant.norm) {
    gain_ih = spread(raw.gain_ih, G);
    gain_hh = spread(raw.gain_hh, G);
    if (s.traits.cell_state) {
      gain_c = spread(raw.gain_c, 1);
      bias_c = spread(raw.bias_c, 1);
    }
  }
  if (s.variant.peephole) peephole = spread(raw.peephole, 3);
  if (s.projected) {
    const int64_t p = vectors_of(s.P, w);
    T* data = take(numbers(s.H, p, w));
    for (int64_t v = 0; v < p; ++v) {
      const int64_t panel = v / 4, width = std::min<int64_t>(4, p - panel * 4);
      T* dst = data + panel * 4 * w * s.H + (v - panel * 4) * w;
      pack_vector(table, raw.weight_hr + v * w * s.H, std::min(w, s.P - v * w), s.H, dst, width * w);
    }
    hr = Panels<T>{data, s.H, 4, p, {1, {{0, s.H}}}};
  }
}

template <class T> void Weights<T>::pack_back(const Raw<T>& raw) {
  const Sizes& s = sizes;
  Lines<T> lines{back_};
  auto take = [&](int64_t count) { return lines.take(count); };
  const int64_t w = s.w;
  // Rows of `weight`, that of each number in a run as row_of gives it, its columns in panels of four vectors.
  auto pack = [&](const T* weight, int64_t columns, const Runs& runs, auto row_of) {
    int64_t K = 0;
    for (int64_t j = 0; j < runs.count; ++j) K += runs.run[j].length;
    const int64_t total = vectors_of(columns, w);
    T* data = take(numbers(K, total, w));
    for (int64_t panel = 0; panel * 4 < total; ++panel) {
      const int64_t width = std::min<int64_t>(4, total - panel * 4) * w;
      const int64_t valid = std::min(width, columns - panel * 4 * w);
      T* dst = data + panel * 4 * w * K;
      for (int64_t j = 0; j < runs.count; ++j) {
        const auto& run = runs.run[j];
        for (int64_t k = run.offset; k < run.offset + run.length; ++k, dst += width) {
          std::memcpy(dst, weight + row_of(k) * columns + panel * 4 * w, size_t(valid) * sizeof(T));
          std::fill(dst + valid, dst + width, T(0));
        }
      }
    }
    return Panels<T>{data, K, 4, total, runs};
  };
  const int64_t H = s.H, together = s.traits.together, summed = together * s.padded;
  // The gates that are added up, from `at` on, block by block, of the last block only the units there are; then the
  // candidate from `apart` on, unless that is negative.
  auto gates = [&](const T* weight, int64_t columns, int64_t at, int64_t apart) {
    const int64_t whole = H / w * together * w, rest = H % w;
    Runs runs{};
    if (whole) runs.run[runs.count++] = {at, whole};
    for (int64_t gate = 0; rest && gate < together; ++gate) runs.run[runs.count++] = {at + whole + gate * w, rest};
    if (apart >= 0) runs.run[runs.count++] = {apart, H};
    return pack(weight, columns, runs, [=](int64_t k) {
      if (k >= at + summed) return together * H + k - apart;
      k -= at;
      return k / w % together * H + k / w / together * w + k % w;
    });
  };
  const bool candidate = s.traits.candidate, before = s.variant.before;
  const int64_t by_product = summed + (s.variant.norm ? 0 : s.padded);  // of the candidate, by what the input adds
  hh_back = gates(raw.weight_hh, s.P, 0, candidate && !before ? summed : -1);
  if (before)
    hn_back = pack(raw.weight_hh, s.P, {1, {{by_product, H}}}, [=](int64_t k) { return together * H + k - by_product; });
  ih_back = gates(raw.weight_ih, s.I, s.by_input, candidate ? s.by_input + by_product : -1);
  if (s.projected) hr_back = pack(raw.weight_hr, H, {1, {{0, s.P}}}, [](int64_t k) { return k; });
}

template class Weights<float>;
template class Weights<double>;

namespace {

// Fewer weights than these are laid out before a second thread is there.
constexpr int64_t ALONE = 1 << 14;

}  // namespace

template <class T> void pack(Weights<T>* const* weights, const Raw<T>* raw, int64_t directions, int threads) {
  const Sizes& s = weights[0]->sizes;
  const int64_t halves = directions * (weights[0]->has_back ? 2 : 1);
  const bool alone = halves * s.gates * s.H * (s.I + s.P) < ALONE;
  // First what the forward pass reads of every direction, then what goes back: each half is one thread's.
  run_in_team(alone ? 1 : int(std::min<int64_t>(threads, halves)), [&](Team team) {
    for (int64_t half = team.index; half < halves; half += team.size) {
      const int64_t d = half % directions;
      if (half < directions)
        weights[d]->pack_forward(raw[d]);
      else
        weights[d]->pack_back(raw[d]);
    }
  });
}

template void pack<float>(Weights<float>* const*, const Raw<float>*, int64_t, int);
template void pack<double>(Weights<double>* const*, const Raw<double>*, int64_t, int);

}  // namespace recurra
