// Vectors of float and double for one instruction set, and the activations on them.
//
// This file is compiled once per instruction set, each time inside its own namespace RECURRA_TARGET and with
// RECURRA_BYTES bytes to a vector. It includes no header with inline library code: the linker keeps one copy of
// such code for the whole program, perhaps the one with instructions the machine lacks.
//
// No contraction is left to the compiler (-ffp-contract=off): every fused multiply-add is written as fma(), so that
// each tile size computes the very same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

#define RECURRA_INLINE static inline __attribute__((always_inline))
#define RECURRA_UNROLL _Pragma("GCC unroll 32")

namespace recurra {
namespace RECURRA_TARGET {

typedef float F __attribute__((vector_size(RECURRA_BYTES)));
typedef double D __attribute__((vector_size(RECURRA_BYTES)));
typedef int32_t FI __attribute__((vector_size(RECURRA_BYTES)));
typedef int64_t DI __attribute__((vector_size(RECURRA_BYTES)));
typedef float FU __attribute__((vector_size(RECURRA_BYTES), aligned(4), may_alias));
typedef double DU __attribute__((vector_size(RECURRA_BYTES), aligned(8), may_alias));

template <class T> struct Traits;
template <> struct Traits<float> {
  using V = F;
  using U = FU;
};
template <> struct Traits<double> {
  using V = D;
  using U = DU;
};
template <class T> using V = typename Traits<T>::V;

// Lanes of a vector.
template <class T> constexpr int W = RECURRA_BYTES / int(sizeof(T));
// Most rows of a register tile of so many vectors: 6 x 4 fill 32 registers; 3 x 4, 4 x 3 and 6 x 2 fill 16.
#if defined(__AVX512F__) || defined(__aarch64__)
template <int NV> constexpr int ROWS = 6;
#else
template <int NV> constexpr int ROWS = NV >= 4 ? 3 : NV == 3 ? 4 : 6;
#endif

template <class T> RECURRA_INLINE V<T> load(const T* p) { return *reinterpret_cast<const typename Traits<T>::U*>(p); }
template <class T> RECURRA_INLINE void store(T* p, V<T> v) { *reinterpret_cast<typename Traits<T>::U*>(p) = v; }

#if defined(__AVX512F__)
RECURRA_INLINE F splat(float x) { return (F)_mm512_set1_ps(x); }
RECURRA_INLINE D splat(double x) { return (D)_mm512_set1_pd(x); }
RECURRA_INLINE F fma(F a, F b, F c) { return (F)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
RECURRA_INLINE D fma(D a, D b, D c) { return (D)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c); }
// The second operand comes back when either is NaN, so that a NaN in x stays one.
RECURRA_INLINE F at_most(F limit, F x) { return (F)_mm512_min_ps((__m512)limit, (__m512)x); }
RECURRA_INLINE F at_least(F limit, F x) { return (F)_mm512_max_ps((__m512)limit, (__m512)x); }
RECURRA_INLINE F load_part(const float* p, int n) { return (F)_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p); }
RECURRA_INLINE D load_part(const double* p, int n) { return (D)_mm512_maskz_loadu_pd(__mmask8((1u << n) - 1), p); }
RECURRA_INLINE void store_part(float* p, F v, int n) { _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), (__m512)v); }
RECURRA_INLINE void store_part(double* p, D v, int n) { _mm512_mask_storeu_pd(p, __mmask8((1u << n) - 1), (__m512d)v); }
// Lanes first .. first + n - 1, and zeros behind them.
RECURRA_INLINE F lanes_from(F v, int first, int n) {
  const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return (F)_mm512_maskz_permutexvar_ps(__mmask16((1u << n) - 1), _mm512_add_epi32(count, _mm512_set1_epi32(first)),
                                        (__m512)v);
}
RECURRA_INLINE D lanes_from(D v, int first, int n) {
  const __m512i count = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  return (D)_mm512_maskz_permutexvar_pd(__mmask8((1u << n) - 1), _mm512_add_epi64(count, _mm512_set1_epi64(first)),
                                        (__m512d)v);
}
RECURRA_INLINE F reciprocal(F x) {
  // 14 bits from the table, one Newton step: within an ulp, and several times faster than a division
  F r = (F)_mm512_rcp14_ps((__m512)x);
  return fma(fma(-x, r, splat(1.0f)), r, r);
}
#else
#if defined(__AVX2__)
RECURRA_INLINE F splat(float x) { return (F)_mm256_set1_ps(x); }
RECURRA_INLINE D splat(double x) { return (D)_mm256_set1_pd(x); }
RECURRA_INLINE F fma(F a, F b, F c) { return (F)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
RECURRA_INLINE D fma(D a, D b, D c) { return (D)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
#elif defined(__ARM_NEON) && defined(__aarch64__)
RECURRA_INLINE F splat(float x) { return (F)vdupq_n_f32(x); }
RECURRA_INLINE D splat(double x) { return (D)vdupq_n_f64(x); }
RECURRA_INLINE F fma(F a, F b, F c) { return (F)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
RECURRA_INLINE D fma(D a, D b, D c) { return (D)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b); }
#else
// Multiply, then add: the baseline of a machine has no fused operation. Same bits in every tile all the same.
RECURRA_INLINE F splat(float x) { return F{x, x, x, x}; }
RECURRA_INLINE D splat(double x) { return D{x, x}; }
RECURRA_INLINE F fma(F a, F b, F c) { return a * b + c; }
RECURRA_INLINE D fma(D a, D b, D c) { return a * b + c; }
#endif
#if defined(__AVX2__)
RECURRA_INLINE F at_most(F limit, F x) { return (F)_mm256_min_ps((__m256)limit, (__m256)x); }
RECURRA_INLINE F at_least(F limit, F x) { return (F)_mm256_max_ps((__m256)limit, (__m256)x); }
#else
RECURRA_INLINE F at_most(F limit, F x) { return x > limit ? limit : x; }
RECURRA_INLINE F at_least(F limit, F x) { return x < limit ? limit : x; }
#endif
template <class T> RECURRA_INLINE V<T> load_part(const T* p, int n) {
  V<T> v = splat(T(0));
  for (int j = 0; j < n; ++j) v[j] = p[j];
  return v;
}
RECURRA_INLINE void store_part(float* p, F v, int n) {
  for (int j = 0; j < n; ++j) p[j] = v[j];
}
RECURRA_INLINE void store_part(double* p, D v, int n) {
  for (int j = 0; j < n; ++j) p[j] = v[j];
}
template <class Vector> RECURRA_INLINE Vector lanes_from(Vector v, int first, int n) {
  Vector found = {};
  for (int j = 0; j < n; ++j) found[j] = v[first + j];
  return found;
}
RECURRA_INLINE F reciprocal(F x) { return splat(1.0f) / x; }
#endif

// dst[k * stride + r] = rows[r][k] for an 8 x 8 square.
template <class T> RECURRA_INLINE void turn_square(const T* const* rows, int64_t at, T* dst, int64_t stride) {
  for (int r = 0; r < 8; ++r)
    for (int k = 0; k < 8; ++k) dst[k * stride + r] = rows[r][at + k];
}
#if defined(__AVX2__)
RECURRA_INLINE void turn_square(const float* const* rows, int64_t at, float* dst, int64_t stride) {
  __m256 x[8], t[8], u[8];
  RECURRA_UNROLL
  for (int j = 0; j < 8; ++j) x[j] = _mm256_loadu_ps(rows[j] + at);
  RECURRA_UNROLL
  for (int j = 0; j < 8; j += 2) {
    t[j] = _mm256_unpacklo_ps(x[j], x[j + 1]);
    t[j + 1] = _mm256_unpackhi_ps(x[j], x[j + 1]);
  }
  RECURRA_UNROLL
  for (int j = 0; j < 8; j += 4) {
    u[j] = _mm256_shuffle_ps(t[j], t[j + 2], 0x44);
    u[j + 1] = _mm256_shuffle_ps(t[j], t[j + 2], 0xee);
    u[j + 2] = _mm256_shuffle_ps(t[j + 1], t[j + 3], 0x44);
    u[j + 3] = _mm256_shuffle_ps(t[j + 1], t[j + 3], 0xee);
  }
  RECURRA_UNROLL
  for (int j = 0; j < 4; ++j) {
    _mm256_storeu_ps(dst + j * stride, _mm256_permute2f128_ps(u[j], u[j + 4], 0x20));
    _mm256_storeu_ps(dst + (j + 4) * stride, _mm256_permute2f128_ps(u[j], u[j + 4], 0x31));
  }
}
#endif

template <class T> RECURRA_INLINE V<T> zero() { return splat(T(0)); }

// Sum of all lanes, in one order: the upper half is added to the lower one, until one is left.
#if defined(__AVX512F__)
RECURRA_INLINE float total(F v) { return _mm512_reduce_add_ps((__m512)v); }
RECURRA_INLINE double total(D v) { return _mm512_reduce_add_pd((__m512d)v); }
#else
template <class T, class Vector> RECURRA_INLINE T total_of(Vector v) {
  T lane[W<T>];
  store<T>(lane, v);
  for (int half = W<T> / 2; half; half /= 2)
    for (int j = 0; j < half; ++j) lane[j] += lane[j + half];
  return lane[0];
}
RECURRA_INLINE float total(F v) { return total_of<float>(v); }
RECURRA_INLINE double total(D v) { return total_of<double>(v); }
#endif

// n lanes, which may be all of them
template <class T> RECURRA_INLINE V<T> load_some(const T* p, int n) {
  return n >= W<T> ? load<T>(p) : load_part(p, n);
}
template <class T> RECURRA_INLINE void store_some(T* p, V<T> v, int n) {
  if (n >= W<T>)
    store<T>(p, v);
  else
    store_part(p, v, n);
}

// e^x for |x| <= 87.3; NaN stays NaN. x = (n + f) ln 2 with n whole and |f| <= 1/2: adding 1.5 * 2^23 rounds to n and
// leaves it in the low bits; f is exact to double the precision thanks to the fused operations. The polynomial is a
// minimax fit of 2^f, relative error 2e-9.
RECURRA_INLINE F exp_within(F x) {
  const F magic = splat(12582912.0f), log2e = splat(0x1.715476p0f);
  F m = fma(x, log2e, magic), n = m - magic;
  F f = fma(x, splat(0x1.4ae0cp-26f), fma(x, log2e, -n));
  F p = fma(splat(0x1.41d334p-13f), f, splat(0x1.5f456cp-10f));
  p = fma(p, f, splat(0x1.3b2dbcp-7f));
  p = fma(p, f, splat(0x1.c6aed4p-5f));
  p = fma(p, f, splat(0x1.ebfbdap-3f));
  p = fma(p, f, splat(0x1.62e430p-1f));
  p = fma(p, f, splat(1.0f));
  FI scale = ((FI)m << 23) + 0x3f800000;
  return p * (F)scale;
}

RECURRA_INLINE F exp(F x) { return exp_within(at_least(splat(-87.3f), at_most(splat(87.3f), x))); }

RECURRA_INLINE F sigmoid(F x) { return reciprocal(splat(1.0f) + exp(-x)); }

// x p(x^2) / q(x^2), both of degree 4, fitted by Lawson's iteration on [0, 9.011], relative error 2.1e-8; beyond,
// tanh is 1 in float.
RECURRA_INLINE F tanh(F x) {
  x = at_least(splat(-9.011f), at_most(splat(9.011f), x));
  F s = x * x;
  F p = fma(splat(1.3335075517648602e-08f), s, splat(2.0594999051387503e-05f));
  F q = fma(splat(7.768558954772384e-07f), s, splat(0.00032842366500031615f));
  p = fma(p, s, splat(0.0034947336916258775f));
  q = fma(q, s, splat(0.025873732510986184f));
  p = fma(p, s, splat(0.13380306477960985f));
  q = fma(q, s, splat(0.46713621879239564f));
  p = fma(p, s, splat(0.999999979222158f));
  q = fma(q, s, splat(1.0f));
  F t = (x * p) * reciprocal(q);
  return at_least(splat(-1.0f), at_most(splat(1.0f), t));
}

// double: the library's own, lane by lane; exactness matters here, not speed
RECURRA_INLINE D exp(D x) {
  for (int j = 0; j < W<double>; ++j) x[j] = __builtin_exp(x[j]);
  return x;
}
RECURRA_INLINE D sigmoid(D x) {
  for (int j = 0; j < W<double>; ++j) x[j] = 1.0 / (1.0 + __builtin_exp(-x[j]));
  return x;
}
RECURRA_INLINE D tanh(D x) {
  for (int j = 0; j < W<double>; ++j) x[j] = __builtin_tanh(x[j]);
  return x;
}

// acc[r][v] += a[r][k] * b[v]. What there is less of, rows or vectors, is held in registers; the rest comes one by one, so
// that 3 x 4 and 4 x 3 just fit into 16 registers, 6 x 4 into 32.
template <class T, int R, int NV>
RECURRA_INLINE void accumulate_once(V<T> (&acc)[R][NV], const T* const (&a)[R], int64_t k, const T* b) {
  if constexpr (NV < R) {
    V<T> panel[NV];
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) panel[v] = load<T>(b + v * W<T>);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      const V<T> s = splat(a[r][k]);
      RECURRA_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] = fma(s, panel[v], acc[r][v]);
    }
  } else {
    V<T> s[R];
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) s[r] = splat(a[r][k]);
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) {
      const V<T> panel = load<T>(b + v * W<T>);
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) acc[r][v] = fma(s[r], panel, acc[r][v]);
    }
  }
}

// acc[r][v] += sum over k of a[r][k] * b[k][v], k rising, one fused operation each. b is a panel: K rows of NV vectors.
template <class T, int R, int NV>
RECURRA_INLINE void accumulate(V<T> (&acc)[R][NV], const T* const (&a)[R], const T* b, int64_t K) {
  constexpr int step = NV * W<T>;
  int64_t k = 0;
  for (; k + 4 <= K; k += 4, b += 4 * step) {
    RECURRA_UNROLL
    for (int j = 0; j < 4; ++j) accumulate_once<T, R, NV>(acc, a, k + j, b + j * step);
  }
  for (; k < K; ++k, b += step) accumulate_once<T, R, NV>(acc, a, k, b);
}

// One row times P panels at once: a tile of one row and one panel would wait for its own sums.
template <class T, int P, int NV>
RECURRA_INLINE void accumulate_row(V<T> (&acc)[P][NV], const T* a, const T* b, int64_t next, int64_t K) {
  constexpr int step = NV * W<T>;
#pragma GCC unroll 2
  for (int64_t k = 0; k < K; ++k, b += step) {
    const V<T> s = splat(a[k]);
    RECURRA_UNROLL
    for (int p = 0; p < P; ++p) {
      RECURRA_UNROLL
      for (int v = 0; v < NV; ++v) acc[p][v] = fma(s, load<T>(b + p * next + v * W<T>), acc[p][v]);
    }
  }
}

// Calls f(block, count) for the blocks of a step on a single row, two at a time.
template <class F2, class F1> RECURRA_INLINE void each_pair(int64_t first, int64_t last, bool down, F2 two, F1 one) {
  const int64_t pairs = (last - first) / 2;
  for (int64_t j = 0; j < pairs; ++j) two(first + 2 * (down ? pairs - 1 - j : j));
  if ((last - first) % 2) one(last - 1);
}

// Calls Tile<T, rows>::run for tiles of at most MOST rows, as even as possible: 13 rows are 5 + 4 + 4, not 6 + 6 + 1.
template <template <class, int> class Tile, int MOST, class T, class Args>
RECURRA_INLINE void each_tile(int64_t rows, const Args& args, int64_t block) {
  int64_t tiles = (rows + MOST - 1) / MOST, first = 0;
  for (int64_t t = 0; t < tiles; ++t) {
    int64_t n = rows / tiles + (t < rows % tiles ? 1 : 0);
    switch (n) {
      case 1: Tile<T, 1>::run(args, first, block); break;
      case 2: Tile<T, 2>::run(args, first, block); break;
      case 3: Tile<T, 3>::run(args, first, block); break;
      case 4:
        if constexpr (MOST >= 4) Tile<T, 4>::run(args, first, block);
        break;
      case 5:
        if constexpr (MOST >= 5) Tile<T, 5>::run(args, first, block);
        break;
      case 6:
        if constexpr (MOST >= 6) Tile<T, 6>::run(args, first, block);
        break;
      default: break;
    }
    first += n;
  }
}

}  // namespace RECURRA_TARGET
}  // namespace recurra
