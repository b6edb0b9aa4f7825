// LSTM, one time step for some rows: see ../lstm.py for the equations.
//
// A panel holds the gates i, f, g, o of the same W units, so that a register tile ends with all that the cell needs
// and the cell is updated in registers. Saved gates lie block by block: i, f, g, o of W units, then the next W units.
#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

template <class T, int R> struct LstmTile {
  static inline void run(const Forward<T>& s, int64_t row, int64_t block) {
    constexpr int w = W<T>;
    V<T> acc[R][4];
    const T* a[R];
    const T* start = s.bias + block * 4 * w;
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      if (s.pre) start = s.pre[row + r] + block * 4 * w;
      RECURRA_UNROLL
      for (int g = 0; g < 4; ++g) acc[r][g] = load<T>(start + g * w);
    }
    if (s.x) {
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) a[r] = s.x[row + r];
      accumulate<T, R, 4>(acc, a, s.w_ih->data + block * 4 * w * s.w_ih->K, s.w_ih->K);
    }
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) a[r] = s.h[row + r];
    accumulate<T, R, 4>(acc, a, s.w_hh->data + block * 4 * w * s.w_hh->K, s.w_hh->K);
    const int64_t unit = block * w;
    const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      V<T> i = sigmoid(acc[r][0]), f = sigmoid(acc[r][1]), g = tanh(acc[r][2]), o = sigmoid(acc[r][3]);
      V<T> c = fma(f, load<T>(s.c_prev[row + r] + unit), i * g);
      store<T>(s.c[row + r] + unit, c);
      store_some<T>(s.out[row + r] + unit, o * tanh(c), n);
      if (s.gates) {
        T* saved = s.gates[row + r] + block * 4 * w;
        store<T>(saved, i);
        store<T>(saved + w, f);
        store<T>(saved + 2 * w, g);
        store<T>(saved + 3 * w, o);
      }
    }
  }
};

template <class T> void lstm_forward(const Forward<T>& s) {
  for (int64_t j = s.first; j < s.last; ++j)
    each_tile<LstmTile, T>(s.rows, s, s.down ? s.first + s.last - 1 - j : j);
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
