// GRU, one time step for some rows: see ../cells/gru.py for the equations.
//
// Panels of the input weights hold r, z, n of the same W units; panels of the recurrent weights r, z, q, where q needs
// its own sum because the reset gate acts on it alone. A saved row holds r, z block by block (2 Hp), then q (Hp), then
// n (Hp); backward writes their gradients in the same places.
#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

// The sums of one row's gates become the new state; acc holds r, z, q, `candidate` the input's part of n.
template <class T>
RECURRA_INLINE void gru_cell(const Forward<T>& s, int64_t row, int64_t block, const V<T> (&acc)[3], V<T> candidate) {
  constexpr int w = W<T>;
  const int64_t unit = block * w, padded = (s.hidden + w - 1) / w * w;
  const int n_units = int(s.hidden - unit < w ? s.hidden - unit : w);
  V<T> reset = sigmoid(acc[0]), z = sigmoid(acc[1]), q = acc[2];
  V<T> n = tanh(fma(reset, q, candidate));
  V<T> h = load_some<T>(s.h[row] + unit, n_units);
  store_some<T>(s.out[row] + unit, fma(z, h - n, n), n_units);
  if (s.gates) {
    T* saved = s.gates[row];
    store<T>(saved + 2 * unit, reset);
    store<T>(saved + 2 * unit + w, z);
    store<T>(saved + 2 * padded + unit, q);
    store<T>(saved + 3 * padded + unit, n);
  }
}

template <class T, int R> struct GruTile {
  static inline void run(const Forward<T>& s, int64_t row, int64_t block) {
    constexpr int w = W<T>;
    V<T> acc[R][3], candidate[R];
    const T* a[R];
    const T* start = s.bias + block * 3 * w;
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      if (s.pre) start = s.pre[row + r] + block * 3 * w;
      RECURRA_UNROLL
      for (int g = 0; g < 3; ++g) acc[r][g] = load<T>(start + g * w);
    }
    if (s.x) {
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) a[r] = s.x[row + r];
      accumulate<T, R, 3>(acc, a, s.w_ih->data + block * 3 * w * s.w_ih->K, s.w_ih->K);
    }
    const V<T> bias_n = load<T>(s.bias_n + block * w);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      candidate[r] = acc[r][2];
      acc[r][2] = bias_n;
      a[r] = s.h[row + r];
    }
    accumulate<T, R, 3>(acc, a, s.w_hh->data + block * 3 * w * s.w_hh->K, s.w_hh->K);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) gru_cell<T>(s, row + r, block, acc[r], candidate[r]);
  }
};

// A single row, P blocks at once.
template <class T, int P> static inline void gru_row(const Forward<T>& s, int64_t block) {
  constexpr int w = W<T>;
  V<T> acc[P][3], candidate[P];
  const T* start = (s.pre ? s.pre[0] : s.bias) + block * 3 * w;
  RECURRA_UNROLL
  for (int p = 0; p < P; ++p) {
    RECURRA_UNROLL
    for (int g = 0; g < 3; ++g) acc[p][g] = load<T>(start + (p * 3 + g) * w);
  }
  const int64_t x = 3 * w * s.w_ih->K, h = 3 * w * s.w_hh->K;
  if (s.x) accumulate_row<T, P, 3>(acc, s.x[0], s.w_ih->data + block * x, x, s.w_ih->K);
  RECURRA_UNROLL
  for (int p = 0; p < P; ++p) {
    candidate[p] = acc[p][2];
    acc[p][2] = load<T>(s.bias_n + (block + p) * w);
  }
  accumulate_row<T, P, 3>(acc, s.h[0], s.w_hh->data + block * h, h, s.w_hh->K);
  RECURRA_UNROLL
  for (int p = 0; p < P; ++p) gru_cell<T>(s, 0, block + p, acc[p], candidate[p]);
}

template <class T> void gru_forward(const Forward<T>& s) {
  if (s.rows == 1) {
    each_pair(
        s.first, s.last, s.down, [&](int64_t block) { gru_row<T, 2>(s, block); },
        [&](int64_t block) { gru_row<T, 1>(s, block); });
    return;
  }
  for (int64_t j = s.first; j < s.last; ++j)
    each_tile<GruTile, ROWS<3>, T>(s.rows, s, s.down ? s.first + s.last - 1 - j : j);
}

template <class T> void gru_backward(const Backward<T>& s) {
  constexpr int w = W<T>;
  const int64_t padded = (s.hidden + w - 1) / w * w;
  const V<T> one = splat(T(1));
  for (int64_t row = 0; row < s.rows; ++row) {
    for (int64_t block = s.first; block < s.last; ++block) {
      const int64_t unit = block * w;
      const int n_units = int(s.hidden - unit < w ? s.hidden - unit : w);
      T* gates = s.gates[row];
      V<T> r = load<T>(gates + 2 * unit), z = load<T>(gates + 2 * unit + w);
      V<T> q = load<T>(gates + 2 * padded + unit), n = load<T>(gates + 3 * padded + unit);
      V<T> dh = load<T>(s.dh[row] + unit);
      if (s.dout) dh = dh + load_some<T>(s.dout[row] + unit, n_units);
      if (s.hidden_out) store_some<T>(s.hidden_out[row] + unit, dh, n_units);
      V<T> h = load_some<T>(s.h[row] + unit, n_units);
      V<T> keep = one - z;
      V<T> dn = (dh * keep) * fma(-n, n, one);
      store<T>(gates + 2 * unit, ((dn * q) * r) * (one - r));
      store<T>(gates + 2 * unit + w, ((dh * (h - n)) * z) * keep);
      store<T>(gates + 2 * padded + unit, dn * r);
      store<T>(gates + 3 * padded + unit, dn);
      store<T>(s.dh[row] + unit, dh * z);
    }
  }
}

template void gru_forward<float>(const Forward<float>&);
template void gru_forward<double>(const Forward<double>&);
template void gru_backward<float>(const Backward<float>&);
template void gru_backward<double>(const Backward<double>&);

}  // namespace RECURRA_TARGET
}  // namespace recurra
