// One time step of a variant, element by element: see variant_units.hpp.
#include "variant_units.hpp"

namespace recurra {
namespace RECURRA_TARGET {

template <class T, bool NORM> static void lstm_row(const VariantForward<T>& s, int64_t row) {
  constexpr int w = W<T>;
  const int64_t blocks = (s.hidden + w - 1) / w, padded = blocks * w;
  const bool zoned = s.zone || s.variant.zone_h != 0 || s.variant.zone_c != 0;
  T *a = s.a[row], *u = s.u[row], *saved = s.gates ? s.gates[row] : nullptr;
  const T* next_saved = saved && row + 1 < s.rows ? s.gates[row + 1] : nullptr;
  const V<T> last = lanes_of<T>(int(s.hidden - (padded - w)));
  Moments<T> by_x, by_h;
  if (NORM) by_x = moments<T, 4, 0, 4>(a, s.hidden), by_h = moments<T, 4, 0, 4>(u, s.hidden);
  // With normalization o and the cell state wait for its statistics: at the start of u and a, which are used up there.
  auto finish = [&](int64_t unit, int n, V<T> o, V<T> seen) {
    V<T> h = o * tanh(seen);
    if (zoned) {
      const V<T> before = load_some<T>(s.h[row] + unit, n);
      h = fma(zone_at<T>(s.zone, T(s.variant.zone_h), row, unit, n), before - h, h);
    }
    store_some<T>(s.out[row] + unit, h, n);
  };
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t unit = b * w, at = 4 * unit;
    const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
    if (NORM && next_saved) fetch<T, true>(next_saved, 2 * at, 8);
    V<T> acc[4];
    RECURRA_UNROLL
    for (int g = 0; g < 4; ++g) {
      const int64_t k = at + g * w;
      V<T> x = load<T>(a + k), h = load<T>(u + k);
      if (NORM) {
        x = by_x.at(x, n == w, last), h = by_h.at(h, n == w, last);
        acc[g] = gained<T>(s, k, x, h);
        if (saved) {
          store<T>(saved + k, h);
          store<T>(saved + 4 * padded + k, x);
        }
      } else {
        acc[g] = x + h;
      }
    }
    const V<T> c_prev = load<T>(s.c_prev[row] + unit);
    const LstmUnits<T> cell = lstm_units<T>(s, row, unit, n, acc, c_prev);
    if (saved && !NORM) {
      store<T>(saved + at, cell.i);
      store<T>(saved + at + w, cell.f);
      store<T>(saved + at + 2 * w, cell.g);
      store<T>(saved + at + 3 * w, cell.o);
    }
    V<T> next = cell.c;
    if (zoned)
      next = fma(zone_at<T>(s.zone, T(s.variant.zone_c), row, s.hidden + unit, n), c_prev - cell.c, cell.c);
    store<T>(s.c[row] + unit, next);
    if (NORM) {
      store<T>(a + unit, cell.c);
      store<T>(u + unit, cell.o);
    } else {
      finish(unit, n, cell.o, cell.c);
    }
  }
  if (!NORM) return;
  const Moments<T> by_c = moments<T, 1, 0, 1>(a, s.hidden);
  if (saved) {
    T* scales = saved + 8 * padded;
    scales[0] = by_h.scale, scales[1] = by_x.scale, scales[2] = by_c.scale, scales[3] = by_c.mean;
  }
  for (int64_t unit = 0; unit < padded; unit += w) {
    const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
    const V<T> c = by_c.at(load<T>(a + unit), n == w, last);
    finish(unit, n, load<T>(u + unit), fma(load<T>(s.gain_c + unit), c, load<T>(s.bias_c + unit)));
  }
}

// The new state of some units of a GRU.
template <class T>
RECURRA_INLINE void gru_state(const VariantForward<T>& s, int64_t row, int64_t unit, int units, V<T> z, V<T> n) {
  if (s.drop) n = n * load_some<T>(s.drop[row] + unit, units);
  const V<T> before = load_some<T>(s.h[row] + unit, units);
  V<T> h = fma(z, before - n, n);
  if (s.zone || s.variant.zone_h != 0)
    h = fma(zone_at<T>(s.zone, T(s.variant.zone_h), row, unit, units), before - h, h);
  store_some<T>(s.out[row] + unit, h, units);
}

template <class T, bool NORM> static void gru_row(const VariantForward<T>& s, int64_t row) {
  constexpr int w = W<T>;
  const int64_t padded = (s.hidden + w - 1) / w * w;
  const T *a = s.a[row], *u = s.u[row];
  T* saved = s.gates ? s.gates[row] : nullptr;
  const T* next_saved = saved && row + 1 < s.rows ? s.gates[row + 1] : nullptr;
  const V<T> last = lanes_of<T>(int(s.hidden - (padded - w)));
  Moments<T> by_h[2], by_x[2];  // of r and z, of n
  if (NORM) {
    by_h[0] = moments<T, 3, 0, 2>(u, s.hidden), by_h[1] = moments<T, 3, 2, 1>(u, s.hidden);
    by_x[0] = moments<T, 3, 0, 2>(a, s.hidden), by_x[1] = moments<T, 3, 2, 1>(a, s.hidden);
    for (int k = 0; k < 2 && saved; ++k) {
      saved[6 * padded + k] = by_h[k].scale;
      saved[6 * padded + 2 + k] = by_x[k].scale;
    }
  }
  for (int64_t unit = 0; unit < padded; unit += w) {
    const int units = int(s.hidden - unit < w ? s.hidden - unit : w);
    if (NORM && next_saved) fetch<T, true>(next_saved, 6 * unit, 6);
    V<T> x[3], h[3];
    RECURRA_UNROLL
    for (int g = 0; g < 3; ++g) {
      x[g] = load<T>(a + 3 * unit + g * w);
      h[g] = load<T>(u + 3 * unit + g * w);
      if (!NORM) continue;
      x[g] = by_x[g / 2].at(x[g], units == w, last), h[g] = by_h[g / 2].at(h[g], units == w, last);
      if (!saved) continue;
      store<T>(saved + gru_place<T>(unit, g, padded), h[g]);
      store<T>(saved + 3 * padded + gru_place<T>(unit, g, padded), x[g]);
    }
    const GruUnits<T> cell = gru_units<T, NORM>(s, unit, x, h);
    if (saved && !NORM) {
      store<T>(saved + 2 * unit, cell.r);
      store<T>(saved + 2 * unit + w, cell.z);
      store<T>(saved + 2 * padded + unit, cell.q);
      store<T>(saved + 3 * padded + unit, cell.n);
    }
    gru_state<T>(s, row, unit, units, cell.z, cell.n);
  }
}

// Reset before the product: first r, z and r * h; z waits in its place in a.
template <class T> static void gru_gates(const VariantForward<T>& s, int64_t row) {
  constexpr int w = W<T>;
  const int64_t padded = (s.hidden + w - 1) / w * w;
  const T slope = T(s.variant.slope);
  T *a = s.a[row], *u = s.u[row], *saved = s.gates ? s.gates[row] : nullptr;
  for (int64_t unit = 0; unit < padded; unit += w) {
    const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
    const V<T> r = activate<T>(load<T>(a + 3 * unit) + load<T>(u + 2 * unit), slope);
    const V<T> z = activate<T>(load<T>(a + 3 * unit + w) + load<T>(u + 2 * unit + w), slope);
    store<T>(a + 3 * unit + w, z);
    store<T>(s.reset[row] + unit, r * load_some<T>(s.h[row] + unit, n));
    if (!saved) continue;
    store<T>(saved + 2 * unit, r);
    store<T>(saved + 2 * unit + w, z);
  }
}

template <class T> static void gru_candidate(const VariantForward<T>& s, int64_t row) {
  constexpr int w = W<T>;
  const int64_t padded = (s.hidden + w - 1) / w * w;
  const T* a = s.a[row];
  for (int64_t unit = 0; unit < padded; unit += w) {
    const int units = int(s.hidden - unit < w ? s.hidden - unit : w);
    const V<T> n = tanh(load<T>(a + 3 * unit + 2 * w) + load<T>(s.q[row] + unit));
    if (s.gates) store<T>(s.gates[row] + 3 * padded + unit, n);
    gru_state<T>(s, row, unit, units, load<T>(a + 3 * unit + w), n);
  }
}

template <class T> void variant_forward(const VariantForward<T>& s, VariantPart part) {
  for (int64_t row = 0; row < s.rows; ++row) switch (part) {
      case VariantPart::lstm: s.variant.norm ? lstm_row<T, true>(s, row) : lstm_row<T, false>(s, row); break;
      case VariantPart::gru: s.variant.norm ? gru_row<T, true>(s, row) : gru_row<T, false>(s, row); break;
      case VariantPart::gru_gates: gru_gates<T>(s, row); break;
      default: gru_candidate<T>(s, row); break;
    }
}

template void variant_forward<float>(const VariantForward<float>&, VariantPart);
template void variant_forward<double>(const VariantForward<double>&, VariantPart);

}  // namespace RECURRA_TARGET
}  // namespace recurra
