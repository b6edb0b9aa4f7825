// LSTM, one time step for some rows: see ../cells/lstm.py for the equations.
//
// A panel holds the gates i, f, g, o of the same W units, so that a register tile ends with all that the cell needs
// and the cell is updated in registers. Of a last block of few units all four fit into one vector. Saved gates lie block
// by block: i, f, g, o of W units, then the next W units.
#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

// The sums of one row's gates become the new cell state and output.
template <class T>
RECURRA_INLINE void lstm_cell(const Forward<T>& s, int64_t row, int64_t block, const V<T> (&acc)[4]) {
  constexpr int w = W<T>;
  const int64_t unit = block * w;
  const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
  V<T> i = sigmoid(acc[0]), f = sigmoid(acc[1]), g = tanh(acc[2]), o = sigmoid(acc[3]);
  V<T> c = fma(f, load<T>(s.c_prev[row] + unit), i * g);
  store<T>(s.c[row] + unit, c);
  store_some<T>(s.out[row] + unit, o * tanh(c), n);
  if (s.gates) {
    T* saved = s.gates[row] + block * 4 * w;
    store<T>(saved, i);
    store<T>(saved + w, f);
    store<T>(saved + 2 * w, g);
    store<T>(saved + 3 * w, o);
  }
}

// NV is 4, or 1 where the gates of a last block of few units lie side by side in one vector.
template <int NV> struct LstmPanel {
  template <class T, int R> struct Tile {
    static inline void run(const Forward<T>& s, int64_t row, int64_t block) {
      constexpr int w = W<T>;
      V<T> acc[R][NV];
      const T* a[R];
      const T* start = s.bias + block * 4 * w;
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) {
        if (s.pre) start = s.pre[row + r] + block * 4 * w;
        RECURRA_UNROLL
        for (int g = 0; g < NV; ++g) acc[r][g] = load<T>(start + g * w);
      }
      if (s.x) {
        RECURRA_UNROLL
        for (int r = 0; r < R; ++r) a[r] = s.x[row + r];
        accumulate<T, R, NV>(acc, a, s.w_ih->data + block * 4 * w * s.w_ih->K, s.w_ih->K);
      }
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) a[r] = s.h[row + r];
      accumulate<T, R, NV>(acc, a, s.w_hh->data + block * 4 * w * s.w_hh->K, s.w_hh->K);
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) {
        if constexpr (NV == 4) {
          lstm_cell<T>(s, row + r, block, acc[r]);
        } else {
          const int n = int(s.hidden - block * w);
          V<T> gates[4];
          RECURRA_UNROLL
          for (int g = 0; g < 4; ++g) gates[g] = lanes_from(acc[r][0], g * n, n);
          lstm_cell<T>(s, row + r, block, gates);
        }
      }
    }
  };
};

// A single row, P blocks at once.
template <class T, int P> static inline void lstm_row(const Forward<T>& s, int64_t block) {
  constexpr int w = W<T>;
  V<T> acc[P][4];
  const T* start = (s.pre ? s.pre[0] : s.bias) + block * 4 * w;
  RECURRA_UNROLL
  for (int p = 0; p < P; ++p) {
    RECURRA_UNROLL
    for (int g = 0; g < 4; ++g) acc[p][g] = load<T>(start + (p * 4 + g) * w);
  }
  const int64_t x = 4 * w * s.w_ih->K, h = 4 * w * s.w_hh->K;
  if (s.x) accumulate_row<T, P, 4>(acc, s.x[0], s.w_ih->data + block * x, x, s.w_ih->K);
  accumulate_row<T, P, 4>(acc, s.h[0], s.w_hh->data + block * h, h, s.w_hh->K);
  RECURRA_UNROLL
  for (int p = 0; p < P; ++p) lstm_cell<T>(s, 0, block + p, acc[p]);
}

template <class T> void lstm_forward(const Forward<T>& s) {
  const int64_t whole = s.w_hh->total / 4, last = s.last < whole ? s.last : whole;
  if (s.last > whole) each_tile<LstmPanel<1>::template Tile, ROWS<1>, T>(s.rows, s, whole);
  if (s.rows == 1) {
    each_pair(
        s.first, last, s.down, [&](int64_t block) { lstm_row<T, 2>(s, block); },
        [&](int64_t block) { lstm_row<T, 1>(s, block); });
    return;
  }
  for (int64_t j = s.first; j < last; ++j)
    each_tile<LstmPanel<4>::template Tile, ROWS<4>, T>(s.rows, s, s.down ? s.first + last - 1 - j : j);
}

template <class T> void lstm_backward(const Backward<T>& s) {
  constexpr int w = W<T>;
  const V<T> one = splat(T(1));
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t block = s.first; block < s.last; ++block) {
      const int64_t unit = block * w;
      const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
      T* gates = s.gates[r] + block * 4 * w;
      V<T> i = load<T>(gates), f = load<T>(gates + w), g = load<T>(gates + 2 * w), o = load<T>(gates + 3 * w);
      V<T> dh = load<T>(s.dh[r] + unit);
      if (s.dout) dh = dh + load_some<T>(s.dout[r] + unit, n);
      if (s.hidden_out) store_some<T>(s.hidden_out[r] + unit, dh, n);
      V<T> tanh_c = tanh(load<T>(s.c[r] + unit));
      if (s.m_out) store<T>(s.m_out[r] + unit, o * tanh_c);
      V<T> dho = dh * o;
      V<T> dc = fma(dho, fma(-tanh_c, tanh_c, one), load<T>(s.dc[r] + unit));
      V<T> c_prev = load<T>(s.c_prev[r] + unit);
      V<T> dci = dc * i;
      store<T>(gates, (dci * g) * (one - i));
      store<T>(gates + w, ((dc * c_prev) * f) * (one - f));
      store<T>(gates + 2 * w, dci * fma(-g, g, one));
      store<T>(gates + 3 * w, (dho * tanh_c) * (one - o));
      store<T>(s.dc[r] + unit, dc * f);
    }
  }
}

template void lstm_forward<float>(const Forward<float>&);
template void lstm_forward<double>(const Forward<double>&);
template void lstm_backward<float>(const Backward<float>&);
template void lstm_backward<double>(const Backward<double>&);

}  // namespace RECURRA_TARGET
}  // namespace recurra
