// Elman network, one time step for some rows: see ../cells/rnn.py for the equations.
//
// With a single gate a panel holds four blocks of units. Nothing is saved but the output; backward writes the
// gradient of the pre-activation into a row of Hp.
#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

template <class T, int R, int NV> RECURRA_INLINE void rnn_tile(const Forward<T>& s, int64_t row, int64_t panel) {
  constexpr int w = W<T>;
  V<T> acc[R][NV];
  const T* a[R];
  const T* start = s.bias + panel * 4 * w;
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    if (s.pre) start = s.pre[row + r] + panel * 4 * w;
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) acc[r][v] = load<T>(start + v * w);
  }
  if (s.x) {
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) a[r] = s.x[row + r];
    accumulate<T, R, NV>(acc, a, s.w_ih->data + panel * 4 * w * s.w_ih->K, s.w_ih->K);
  }
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) a[r] = s.h[row + r];
  accumulate<T, R, NV>(acc, a, s.w_hh->data + panel * 4 * w * s.w_hh->K, s.w_hh->K);
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) {
      const int64_t unit = (panel * 4 + v) * w;
      const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
      V<T> h = acc[r][v];
      // NaN < 0 is false, so that a NaN stays one
      h = s.relu ? (h < zero<T>() ? zero<T>() : h) : tanh(h);
      store_some<T>(s.out[row + r] + unit, h, n);
    }
  }
}

template <int NV> struct RnnPanel {
  template <class T, int R> struct Tile {
    static inline void run(const Forward<T>& s, int64_t row, int64_t panel) { rnn_tile<T, R, NV>(s, row, panel); }
  };
};

template <class T> void rnn_forward(const Forward<T>& s) {
  for (int64_t j = s.first; j < s.last; ++j) {
    const int64_t panel = s.down ? s.first + s.last - 1 - j : j;
    switch (s.w_hh->total - panel * 4) {
      case 1: each_tile<RnnPanel<1>::template Tile, ROWS<1>, T>(s.rows, s, panel); break;
      case 2: each_tile<RnnPanel<2>::template Tile, ROWS<2>, T>(s.rows, s, panel); break;
      case 3: each_tile<RnnPanel<3>::template Tile, ROWS<3>, T>(s.rows, s, panel); break;
      default: each_tile<RnnPanel<4>::template Tile, ROWS<4>, T>(s.rows, s, panel); break;
    }
  }
}

template <class T> void rnn_backward(const Backward<T>& s) {
  constexpr int w = W<T>;
  const V<T> one = splat(T(1));
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t block = s.first; block < s.last; ++block) {
      const int64_t unit = block * w;
      const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
      V<T> dh = load<T>(s.dh[r] + unit);
      if (s.dout) dh = dh + load_some<T>(s.dout[r] + unit, n);
      if (s.hidden_out) store_some<T>(s.hidden_out[r] + unit, dh, n);
      V<T> h = load_some<T>(s.h[r] + unit, n);
      V<T> da = s.relu ? (h > zero<T>() ? dh : zero<T>()) : dh * fma(-h, h, one);
      store<T>(s.gates[r] + unit, da);
    }
  }
}

template void rnn_forward<float>(const Forward<float>&);
template void rnn_forward<double>(const Forward<double>&);
template void rnn_backward<float>(const Backward<float>&);
template void rnn_backward<double>(const Backward<double>&);

}  // namespace RECURRA_TARGET
}  // namespace recurra
