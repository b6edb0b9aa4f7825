// One time step of a variant back, element by element: see variant_units.hpp.
#include "variant_units.hpp"

namespace recurra {
namespace RECURRA_TARGET {

// Sums over the units of a gradient, and of it times what was normalized: what goes back through a normalization.
template <class T> struct Through {
  V<T> plain = zero<T>(), weighted = zero<T>();
  void add(V<T> d, V<T> x) {
    plain = plain + d;
    weighted = fma(d, x, weighted);
  }
  // The gradient by what was put in: scale * (d - mean of d - x * mean of d * x).
  struct Back {
    V<T> plain, weighted, scale;
    V<T> at(V<T> d, V<T> x) const { return scale * (fma(-x, weighted, d) - plain); }
  };
  Back back(T numbers, T scale) const {
    return {splat(total(plain) / numbers), splat(total(weighted) / numbers), splat(scale)};
  }
};

template <class T, bool NORM> static void lstm_row_back(const VariantBackward<T>& s, int64_t row) {
  constexpr int w = W<T>;
  const int64_t blocks = (s.hidden + w - 1) / w, padded = blocks * w;
  const bool peephole = s.variant.peephole, zoned = s.zone || s.variant.zone_h != 0 || s.variant.zone_c != 0;
  const T slope = T(s.variant.slope);
  const V<T> one = splat(T(1)), last = lanes_of<T>(int(s.hidden - (padded - w)));
  // with normalization: normalized products of state and input; the gates and their gradients are in `work`
  T *saved = s.gates[row], *xh = saved, *xx = saved + 4 * padded, *gates = NORM ? s.work : saved;
  T *by_seen = s.work + 4 * padded, *c_hats = s.work + 5 * padded;
  const T *scales = saved + 8 * padded, *next = row + 1 < s.rows ? s.gates[row + 1] : nullptr;
  T* sums = s.sums ? s.sums[row] : nullptr;
  T* by_peephole = sums + (NORM ? 14 * padded : 0);
  Through<T> by_h, by_x, by_c;
  Moments<T> of_c;
  if (NORM) of_c.scale = scales[2], of_c.mean = scales[3];

  auto candidate = [&](int64_t unit, int n, V<T> g) {
    return s.drop ? g * load_some<T>(s.drop[row] + unit, n) : g;
  };
  // From the gradient by the cell state as the output sees it to those by the gates; that of o stands in its place.
  auto finish = [&](int64_t unit, int n, V<T> seen) {
    T* at = gates + 4 * unit;
    const V<T> i = load<T>(at), f = load<T>(at + w), g = load<T>(at + 2 * w), d_o = load<T>(at + 3 * w);
    const V<T> c_prev = load<T>(s.c_prev[row] + unit), taken = candidate(unit, n, g);
    V<T> dc = load<T>(s.dc[row] + unit), kept = zero<T>();
    if (peephole) {
      seen = fma(d_o, load<T>(s.peephole + 3 * unit + 2 * w), seen);
      add_to<T>(by_peephole + 3 * unit + 2 * w, d_o * fma(f, c_prev, i * taken));
    }
    if (zoned) {
      const V<T> zone = zone_at<T>(s.zone, T(s.variant.zone_c), row, s.hidden + unit, n);
      kept = dc * zone;
      dc = dc - kept;
    }
    dc = dc + seen;
    V<T> d[4] = {dc * taken * slope_at<T>(i, slope), dc * c_prev * slope_at<T>(f, slope),
                 candidate(unit, n, dc * i) * fma(-g, g, one), d_o};
    V<T> before = fma(dc, f, kept);
    if (peephole) {
      RECURRA_UNROLL
      for (int k = 0; k < 2; ++k) {
        before = fma(d[k], load<T>(s.peephole + 3 * unit + k * w), before);
        add_to<T>(by_peephole + 3 * unit + k * w, d[k] * c_prev);
      }
    }
    store<T>(s.dc[row] + unit, before);
    RECURRA_UNROLL
    for (int k = 0; k < 4; ++k) {
      const int64_t place = 4 * unit + k * w;
      store<T>(gates + place, d[k]);
      if (!NORM) continue;
      const V<T> h = load<T>(xh + place), x = load<T>(xx + place);
      add_to<T>(sums + place, d[k]);
      add_to<T>(sums + 4 * padded + place, d[k] * h);
      add_to<T>(sums + 8 * padded + place, d[k] * x);
      by_h.add(d[k] * load<T>(s.gain_hh + place), h);
      by_x.add(d[k] * load<T>(s.gain_ih + place), x);
    }
  };

  for (int64_t unit = 0; unit < padded; unit += w) {
    const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
    T* at = gates + 4 * unit;
    if (NORM && next) fetch<T, true>(next, 8 * unit, 8);
    V<T> o, seen, c_hat = zero<T>();
    if (NORM) {
      V<T> acc[4];
      RECURRA_UNROLL
      for (int k = 0; k < 4; ++k) {
        const int64_t place = 4 * unit + k * w;
        acc[k] = gained<T>(s, place, load<T>(xx + place), load<T>(xh + place));
      }
      const LstmUnits<T> cell = lstm_units<T>(s, row, unit, n, acc, load<T>(s.c_prev[row] + unit));
      store<T>(at, cell.i);
      store<T>(at + w, cell.f);
      store<T>(at + 2 * w, cell.g);
      o = cell.o;
      c_hat = of_c.at(cell.c, n == w, last);
      seen = fma(load<T>(s.gain_c + unit), c_hat, load<T>(s.bias_c + unit));
    } else {
      o = load<T>(at + 3 * w);
      seen = fma(load<T>(at + w), load<T>(s.c_prev[row] + unit), load<T>(at) * candidate(unit, n, load<T>(at + 2 * w)));
    }
    V<T> dh = load<T>(s.dh[row] + unit);
    if (s.dout) dh = dh + load_some<T>(s.dout[row] + unit, n);
    if (s.hidden_out) store_some<T>(s.hidden_out[row] + unit, dh, n);
    if (zoned) {
      const V<T> kept = dh * zone_at<T>(s.zone, T(s.variant.zone_h), row, unit, n);
      store<T>(s.dh[row] + unit, kept);
      dh = dh - kept;
    }
    const V<T> t = tanh(seen);
    if (s.m_out) store<T>(s.m_out[row] + unit, o * t);
    V<T> d = dh * o * fma(-t, t, one);
    store<T>(at + 3 * w, dh * t * slope_at<T>(o, slope));
    if (NORM) {
      add_to<T>(sums + 12 * padded + unit, d * c_hat);
      add_to<T>(sums + 13 * padded + unit, d);
      d = d * load<T>(s.gain_c + unit);
      store<T>(by_seen + unit, d);
      store<T>(c_hats + unit, c_hat);
      by_c.add(d, c_hat);
    } else {
      finish(unit, n, d);
    }
  }
  if (!NORM) return;
  using Back = typename Through<T>::Back;
  const Back c = by_c.back(T(s.hidden), scales[2]);
  for (int64_t unit = 0; unit < padded; unit += w)
    finish(unit, int(s.hidden - unit < w ? s.hidden - unit : w),
           c.at(load<T>(by_seen + unit), load<T>(c_hats + unit)));
  const Back h = by_h.back(T(4 * s.hidden), scales[0]), x = by_x.back(T(4 * s.hidden), scales[1]);
  for (int64_t k = 0; k < 4 * padded; k += w) {
    const V<T> d = load<T>(gates + k);
    store<T>(xh + k, h.at(d * load<T>(s.gain_hh + k), load<T>(xh + k)));
    store<T>(xx + k, x.at(d * load<T>(s.gain_ih + k), load<T>(xx + k)));
  }
}

// What of the gradient by a GRU's state stays with the state before (through zoneout), and what does not.
template <class T>
RECURRA_INLINE V<T> gru_gradient(const VariantBackward<T>& s, int64_t row, int64_t unit, int n, V<T>& kept) {
  V<T> dh = load<T>(s.dh[row] + unit);
  if (s.dout) dh = dh + load_some<T>(s.dout[row] + unit, n);
  if (s.hidden_out) store_some<T>(s.hidden_out[row] + unit, dh, n);
  kept = zero<T>();
  if (!s.zone && s.variant.zone_h == 0) return dh;
  kept = dh * zone_at<T>(s.zone, T(s.variant.zone_h), row, unit, n);
  return dh - kept;
}

// The gradients by n and z before activation; that by the state before goes to dh.
template <class T>
RECURRA_INLINE void gru_outer(const VariantBackward<T>& s, int64_t row, int64_t unit, V<T> z, V<T> n, V<T>& dn, V<T>& dz) {
  const int units = int(s.hidden - unit < W<T> ? s.hidden - unit : W<T>);
  const V<T> one = splat(T(1)), h = load_some<T>(s.h[row] + unit, units);
  V<T> kept, dh = gru_gradient<T>(s, row, unit, units, kept), taken = n;
  dn = dh * (one - z);
  if (s.drop) {
    const V<T> drop = load_some<T>(s.drop[row] + unit, units);
    taken = n * drop;
    dn = dn * drop;
  }
  dn = dn * fma(-n, n, one);
  dz = dh * (h - taken) * slope_at<T>(z, T(s.variant.slope));
  store<T>(s.dh[row] + unit, fma(dh, z, kept));
}

template <class T, bool NORM> static void gru_row_back(const VariantBackward<T>& s, int64_t row) {
  constexpr int w = W<T>;
  const int64_t padded = (s.hidden + w - 1) / w * w;
  T *saved = s.gates[row], *xh = saved, *xx = saved + 3 * padded, *sums = s.sums ? s.sums[row] : nullptr;
  T *gates = NORM ? s.work : saved;  // where their gradients go
  const T *scale = saved + 6 * padded, *next = row + 1 < s.rows ? s.gates[row + 1] : nullptr;
  Through<T> by_h, by_q, by_x, by_n;
  for (int64_t unit = 0; unit < padded; unit += w) {
    if (NORM && next) fetch<T, true>(next, 6 * unit, 6);
    GruUnits<T> cell;
    V<T> x[3], h[3];
    if (NORM) {
      RECURRA_UNROLL
      for (int g = 0; g < 3; ++g) {
        x[g] = load<T>(xx + gru_place<T>(unit, g, padded));
        h[g] = load<T>(xh + gru_place<T>(unit, g, padded));
      }
      V<T> by_input[3] = {x[0], x[1], x[2]}, by_state[3] = {h[0], h[1], h[2]};
      cell = gru_units<T, true>(s, unit, by_input, by_state);
    } else {
      cell = {load<T>(saved + 2 * unit), load<T>(saved + 2 * unit + w), load<T>(saved + 2 * padded + unit),
              load<T>(saved + 3 * padded + unit)};
    }
    V<T> dn, dz;
    gru_outer<T>(s, row, unit, cell.z, cell.n, dn, dz);
    const V<T> d[4] = {dn * cell.q * slope_at<T>(cell.r, T(s.variant.slope)), dz, dn * cell.r, dn};
    store<T>(gates + 2 * unit, d[0]);
    store<T>(gates + 2 * unit + w, d[1]);
    store<T>(gates + 2 * padded + unit, d[2]);
    store<T>(gates + 3 * padded + unit, d[3]);
    if (!NORM) continue;
    RECURRA_UNROLL
    for (int g = 0; g < 3; ++g) {
      const int64_t column = 3 * unit + g * w;
      const V<T> dx = g < 2 ? d[g] : d[3];
      add_to<T>(sums + column, dx);
      add_to<T>(sums + 3 * padded + column, d[g]);
      add_to<T>(sums + 6 * padded + column, d[g] * h[g]);
      add_to<T>(sums + 9 * padded + column, dx * x[g]);
      (g < 2 ? by_h : by_q).add(d[g] * load<T>(s.gain_hh + column), h[g]);
      (g < 2 ? by_x : by_n).add(dx * load<T>(s.gain_ih + column), x[g]);
    }
  }
  if (!NORM) return;
  using Back = typename Through<T>::Back;
  const T two = T(2 * s.hidden), own = T(s.hidden);
  const Back h = by_h.back(two, scale[0]), q = by_q.back(own, scale[1]);
  const Back x = by_x.back(two, scale[2]), n = by_n.back(own, scale[3]);
  for (int64_t unit = 0; unit < padded; unit += w) {
    RECURRA_UNROLL
    for (int g = 0; g < 3; ++g) {
      const int64_t place = gru_place<T>(unit, g, padded), column = 3 * unit + g * w;
      const V<T> d = load<T>(gates + place), dx = g < 2 ? d : load<T>(gates + 3 * padded + unit);
      store<T>(xh + place, (g < 2 ? h : q).at(d * load<T>(s.gain_hh + column), load<T>(xh + place)));
      store<T>(xx + place, (g < 2 ? x : n).at(dx * load<T>(s.gain_ih + column), load<T>(xx + place)));
    }
  }
}

template <class T> static void gru_candidate_back(const VariantBackward<T>& s, int64_t row) {
  constexpr int w = W<T>;
  const int64_t padded = (s.hidden + w - 1) / w * w;
  T* gates = s.gates[row];
  for (int64_t unit = 0; unit < padded; unit += w) {
    V<T> dn, dz;
    gru_outer<T>(s, row, unit, load<T>(gates + 2 * unit + w), load<T>(gates + 3 * padded + unit), dn, dz);
    store<T>(gates + 2 * unit + w, dz);
    store<T>(gates + 3 * padded + unit, dn);
  }
}

template <class T> static void gru_gates_back(const VariantBackward<T>& s, int64_t row) {
  constexpr int w = W<T>;
  const int64_t padded = (s.hidden + w - 1) / w * w;
  T* gates = s.gates[row];
  for (int64_t unit = 0; unit < padded; unit += w) {
    const int n = int(s.hidden - unit < w ? s.hidden - unit : w);
    const V<T> r = load<T>(gates + 2 * unit), d = load<T>(s.dreset[row] + unit);
    add_to<T>(s.dh[row] + unit, d * r);
    store<T>(gates + 2 * unit, d * load_some<T>(s.h[row] + unit, n) * slope_at<T>(r, T(s.variant.slope)));
  }
}

template <class T> void variant_backward(const VariantBackward<T>& s, VariantPart part) {
  for (int64_t row = 0; row < s.rows; ++row) switch (part) {
      case VariantPart::lstm: s.variant.norm ? lstm_row_back<T, true>(s, row) : lstm_row_back<T, false>(s, row); break;
      case VariantPart::gru: s.variant.norm ? gru_row_back<T, true>(s, row) : gru_row_back<T, false>(s, row); break;
      case VariantPart::gru_gates: gru_gates_back<T>(s, row); break;
      default: gru_candidate_back<T>(s, row); break;
    }
}

template void variant_backward<float>(const VariantBackward<float>&, VariantPart);
template void variant_backward<double>(const VariantBackward<double>&, VariantPart);

}  // namespace RECURRA_TARGET
}  // namespace recurra
