// LSTM and GRU with something more, element by element, once the products are there: see ../cells/cell_variants.py.
//
// Products lie as the panels: the gates of W units side by side. A saved row holds what a plain one does (the GRU with
// reset before: r * h in the place of q). With normalization it holds instead the normalized products of the state, those
// of the input, one over each deviation and, in the LSTM, the mean of the cell state: the rest is computed again from them,
// which is faster than to fetch it. Backward leaves gradients by the product of the state in the place of the gates, those
// by the product of the input in the place of its normalized product.
//
// Here is what forward and backward share.
#pragma once

#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

// Recurrent activation: sigmoid, or slope * x + 1/2 between 0 and 1; NaN stays NaN.
template <class T> RECURRA_INLINE V<T> activate(V<T> x, T slope) {
  if (slope == T(0)) return sigmoid(x);
  const V<T> one = splat(T(1));
  V<T> y = fma(splat(slope), x, splat(T(0.5)));
  y = y > one ? one : y;
  return y < zero<T>() ? zero<T>() : y;
}

// Its derivative, from its value.
template <class T> RECURRA_INLINE V<T> slope_at(V<T> y, T slope) {
  const V<T> one = splat(T(1));
  if (slope == T(0)) return y * (one - y);
  V<T> d = y > zero<T>() ? splat(slope) : zero<T>();
  return y < one ? d : zero<T>();
}

// Ones in the lanes of units that are there.
template <class T> RECURRA_INLINE V<T> lanes_of(int n) {
  V<T> v = zero<T>();
  for (int j = 0; j < W<T> && j < n; ++j) v[j] = T(1);
  return v;
}

constexpr double EPSILON = 1e-5;

// What a normalization takes from its numbers, and puts in their place.
template <class T> struct Moments {
  T mean = T(0), scale = T(0);  // scale: one over the deviation
  V<T> at(V<T> x, bool whole, V<T> last) const {
    V<T> d = x - splat(mean);
    if (!whole) d = d * last;  // padded units stay zero
    return d * splat(scale);
  }
};

// Of gates FIRST .. FIRST + COUNT of G that lie side by side.
template <class T, int G, int FIRST, int COUNT> static inline Moments<T> moments(const T* x, int64_t hidden) {
  constexpr int w = W<T>;
  const int64_t blocks = (hidden + w - 1) / w;
  const T numbers = T(COUNT * hidden);
  V<T> sum[COUNT], squares[COUNT];
  RECURRA_UNROLL
  for (int v = 0; v < COUNT; ++v) sum[v] = squares[v] = zero<T>();
  for (int64_t b = 0; b < blocks; ++b) {
    RECURRA_UNROLL
    for (int v = 0; v < COUNT; ++v) sum[v] = sum[v] + load<T>(x + (b * G + FIRST + v) * w);
  }
  RECURRA_UNROLL
  for (int v = 1; v < COUNT; ++v) sum[0] = sum[0] + sum[v];
  Moments<T> found;
  found.mean = total(sum[0]) / numbers;
  const V<T> mean = splat(found.mean), last = lanes_of<T>(int(hidden - (blocks - 1) * w));
  for (int64_t b = 0; b < blocks; ++b) {
    RECURRA_UNROLL
    for (int v = 0; v < COUNT; ++v) {
      V<T> d = load<T>(x + (b * G + FIRST + v) * w) - mean;
      if (b + 1 == blocks) d = d * last;
      squares[v] = fma(d, d, squares[v]);
    }
  }
  RECURRA_UNROLL
  for (int v = 1; v < COUNT; ++v) squares[0] = squares[0] + squares[v];
  found.scale = T(1) / T(__builtin_sqrt(double(total(squares[0]) / numbers + T(EPSILON))));
  return found;
}

// The next row lies in another sequence, too far away for the machine to foresee it.
template <class T, bool WRITE> RECURRA_INLINE void fetch(const T* row, int64_t from, int vectors) {
  for (int k = 0; k < vectors; ++k) __builtin_prefetch(row + from + k * W<T>, WRITE);
}

// What a mask or a rate says of a unit's state: 1 keeps it.
template <class T>
RECURRA_INLINE V<T> zone_at(const T* const* zone, T rate, int64_t row, int64_t at, int n) {
  return zone ? load_some<T>(zone[row] + at, n) : splat(rate);
}

template <class T> RECURRA_INLINE void add_to(T* sum, V<T> v) { store<T>(sum, load<T>(sum) + v); }

// What the gates of some units do to their cell state.
template <class T> struct LstmUnits {
  V<T> i, f, g, o, taken, c;  // taken: g after recurrent dropout; c: before zoneout
};
template <class T, class Step>
RECURRA_INLINE LstmUnits<T> lstm_units(const Step& s, int64_t row, int64_t unit, int n, V<T> (&acc)[4], V<T> c_prev) {
  const T slope = T(s.variant.slope);
  const T* peephole = s.variant.peephole ? s.peephole + 3 * unit : nullptr;
  LstmUnits<T> u;
  if (peephole) {
    acc[0] = fma(load<T>(peephole), c_prev, acc[0]);
    acc[1] = fma(load<T>(peephole + W<T>), c_prev, acc[1]);
  }
  u.i = activate<T>(acc[0], slope), u.f = activate<T>(acc[1], slope), u.g = tanh(acc[2]);
  u.taken = s.drop ? u.g * load_some<T>(s.drop[row] + unit, n) : u.g;
  u.c = fma(u.f, c_prev, u.i * u.taken);
  if (peephole) acc[3] = fma(load<T>(peephole + 2 * W<T>), u.c, acc[3]);
  u.o = activate<T>(acc[3], slope);
  return u;
}

// A gate before activation from its normalized products.
template <class T, class Step> RECURRA_INLINE V<T> gained(const Step& s, int64_t k, V<T> x, V<T> h) {
  return fma(load<T>(s.gain_hh + k), h, fma(load<T>(s.gain_ih + k), x, load<T>(s.bias + k)));
}

// The gates of some units from what the input and the state add to them.
template <class T> struct GruUnits {
  V<T> r, z, q, n;
};
template <class T, bool NORM, class Step>
RECURRA_INLINE GruUnits<T> gru_units(const Step& s, int64_t unit, V<T> (&x)[3], V<T> (&h)[3]) {
  const T slope = T(s.variant.slope);
  RECURRA_UNROLL
  for (int g = 0; g < 3 && NORM; ++g) {
    const int64_t k = 3 * unit + g * W<T>;
    x[g] = fma(load<T>(s.gain_ih + k), x[g], load<T>(s.bias + k));
    h[g] = h[g] * load<T>(s.gain_hh + k);
  }
  GruUnits<T> u;
  u.r = activate<T>(x[0] + h[0], slope), u.z = activate<T>(x[1] + h[1], slope);
  u.q = h[2] + load<T>(s.bias_n + unit), u.n = tanh(fma(u.r, u.q, x[2]));
  return u;
}

// Where gate g of some units lies in a saved row of three gates.
template <class T> RECURRA_INLINE int64_t gru_place(int64_t unit, int g, int64_t padded) {
  return g < 2 ? 2 * unit + g * W<T> : 2 * padded + unit;
}

}  // namespace RECURRA_TARGET
}  // namespace recurra
