// Matrix products on rows given by pointers, and the gradient of weights; see kernels.hpp for their arguments.
#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

template <class T, int R, int NV> RECURRA_INLINE void multiply_tile(const Multiply<T>& s, int64_t row, int64_t panel) {
  constexpr int w = W<T>;
  const int64_t column = panel * s.b->vectors * w;
  V<T> acc[R][NV];
  const T* a[R];
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) {
      const int64_t at = column + v * w;
      if (s.onto)
        acc[r][v] = load_some<T>(s.c[row + r] + at, int(s.columns - at < w ? s.columns - at : w));
      else
        acc[r][v] = s.bias ? load<T>(s.bias + at) : zero<T>();
    }
  }
  for (int64_t part = 0; part < s.parts; ++part) {
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) a[r] = s.a[row + r] + s.offset[part];
    accumulate<T, R, NV>(acc, a, s.b[part].data + column * s.b[part].K, s.b[part].K);
  }
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) {
      const int64_t at = column + v * w;
      store_some<T>(s.c[row + r] + at, acc[r][v], int(s.columns - at < w ? s.columns - at : w));
    }
  }
}

template <class T, int R> struct MultiplyTile {
  static inline void run(const Multiply<T>& s, int64_t row, int64_t panel) {
    const int64_t left = s.b->total - panel * s.b->vectors;
    switch (left < s.b->vectors ? left : s.b->vectors) {
      case 1: multiply_tile<T, R, 1>(s, row, panel); break;
      case 2: multiply_tile<T, R, 2>(s, row, panel); break;
      case 3: multiply_tile<T, R, 3>(s, row, panel); break;
      default: multiply_tile<T, R, 4>(s, row, panel); break;
    }
  }
};

template <class T> void multiply(const Multiply<T>& s) {
  for (int64_t j = s.first; j < s.last; ++j)
    each_tile<MultiplyTile, T>(s.rows, s, s.down ? s.first + s.last - 1 - j : j);
}

// Samples of one pass: their gates of one block are copied side by side, stay in the first cache and in few pages while
// all rows of the result go by.
constexpr int64_t SAMPLES = 96;

template <class T, int R, int NV>
RECURRA_INLINE void outer_tile(const Outer<T>& s, const T* g, int64_t m, int64_t block, int64_t from, int64_t to) {
  constexpr int w = W<T>;
  T* c = s.c + (block * s.M + m) * NV * w;
  V<T> acc[R][NV];
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) acc[r][v] = from ? load<T>(c + (r * NV + v) * w) : zero<T>();
  }
  for (int64_t k = from; k < to; ++k, g += NV * w) {
    const T* a = s.a[k] + m;
    V<T> b[NV];
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) b[v] = load<T>(g + v * w);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      V<T> x = splat(a[r]);
      RECURRA_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] = fma(x, b[v], acc[r][v]);
    }
  }
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) store<T>(c + (r * NV + v) * w, acc[r][v]);
  }
}

template <class T, int NV>
RECURRA_INLINE void outer_rows(const Outer<T>& s, const T* g, int64_t m, int64_t block, int64_t from, int64_t to) {
  const int64_t rows = s.M - m < ROWS ? s.M - m : ROWS;
  switch (rows) {
    case 1: outer_tile<T, 1, NV>(s, g, m, block, from, to); break;
    case 2: outer_tile<T, 2, NV>(s, g, m, block, from, to); break;
    case 3: outer_tile<T, 3, NV>(s, g, m, block, from, to); break;
#if defined(__AVX512F__) || defined(__aarch64__)
    case 4: outer_tile<T, 4, NV>(s, g, m, block, from, to); break;
    case 5: outer_tile<T, 5, NV>(s, g, m, block, from, to); break;
    case 6: outer_tile<T, 6, NV>(s, g, m, block, from, to); break;
#endif
    default: break;
  }
}

// The gates of one block, samples [from, to), side by side.
template <class T> void gather(const Outer<T>& s, int64_t block, int64_t from, int64_t to, T* g) {
  for (int64_t k = from; k < to; ++k)
    for (int64_t v = 0; v < s.vectors; ++v, g += W<T>)
      store<T>(g, load<T>(s.g + k * s.stride + s.start[v] + block * s.step[v]));
}

// The bias: a sum over samples of the gates of one block.
template <class T> void outer_bias(const Outer<T>& s, int64_t block, int64_t from, int64_t to) {
  constexpr int w = W<T>;
  T* c = s.c + block * s.vectors * w;
  for (int64_t v = 0; v < s.vectors; ++v) {
    const T* g = s.g + s.start[v] + block * s.step[v];
    V<T> sum = from ? load<T>(c + v * w) : zero<T>();
    for (int64_t k = from; k < to; ++k) sum = sum + load<T>(g + k * s.stride);
    store<T>(c + v * w, sum);
  }
}

template <class T> int64_t outer_tiles(const Outer<T>& s) { return s.blocks * ((s.M + ROWS - 1) / ROWS); }

template <class T> void outer(const Outer<T>& s, int64_t first, int64_t last) {
  const int64_t per_block = (s.M + ROWS - 1) / ROWS;
  alignas(64) T g[SAMPLES * 4 * W<T>];
  for (int64_t from = 0; from < s.samples; from += SAMPLES) {
    const int64_t to = from + SAMPLES < s.samples ? from + SAMPLES : s.samples;
    int64_t gathered = -1;
    for (int64_t tile = first; tile < last; ++tile) {
      const int64_t block = tile / per_block, m = tile % per_block * ROWS;
      if (!s.a) {
        outer_bias<T>(s, block, from, to);
        continue;
      }
      if (block != gathered) gather<T>(s, block, from, to, g);
      gathered = block;
      switch (s.vectors) {
        case 4: outer_rows<T, 4>(s, g, m, block, from, to); break;
        case 3: outer_rows<T, 3>(s, g, m, block, from, to); break;
        case 2: outer_rows<T, 2>(s, g, m, block, from, to); break;
        default: outer_rows<T, 1>(s, g, m, block, from, to); break;
      }
    }
  }
}

// dst[k * dst_stride + r] = src[r * stride + k] for r < rows <= W; lanes beyond `rows` become zero.
template <class T>
void transpose_into(const T* src, int64_t rows, int64_t K, int64_t stride, T* dst, int64_t dst_stride) {
  constexpr int w = W<T>;
  for (int64_t k0 = 0; k0 < K; k0 += w) {
    const int64_t n = K - k0 < w ? K - k0 : w;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < n; ++k) dst[(k0 + k) * dst_stride + r] = src[r * stride + k0 + k];
    for (int64_t r = rows; r < w; ++r)
      for (int64_t k = 0; k < n; ++k) dst[(k0 + k) * dst_stride + r] = T(0);
  }
}

template <class T> T peak(int64_t rounds) {
  V<T> sum[ROWS * 4];
  const V<T> factor = splat(T(0.5)), term = splat(T(0.25));
  RECURRA_UNROLL
  for (int v = 0; v < ROWS * 4; ++v) sum[v] = splat(T(v));  // equal ones would be computed once
  for (int64_t j = 0; j < rounds; ++j) {
    RECURRA_UNROLL
    for (int v = 0; v < ROWS * 4; ++v) sum[v] = fma(sum[v], factor, term);
  }
  V<T> all = sum[0];
  for (int v = 1; v < ROWS * 4; ++v) all = all + sum[v];
  return all[0];
}

template <class T> void exp_rows(T* x, int64_t n) {
  for (int64_t j = 0; j < n; j += W<T>) {
    const int left = int(n - j < W<T> ? n - j : W<T>);
    store_some<T>(x + j, exp(load_some<T>(x + j, left)), left);
  }
}

template <class T> void tanh_rows(T* x, int64_t n) {
  for (int64_t j = 0; j < n; j += W<T>) {
    const int left = int(n - j < W<T> ? n - j : W<T>);
    store_some<T>(x + j, tanh(load_some<T>(x + j, left)), left);
  }
}

template <class T> void lstm_forward(const Forward<T>&);
template <class T> void gru_forward(const Forward<T>&);
template <class T> void rnn_forward(const Forward<T>&);
template <class T> void lstm_backward(const Backward<T>&);
template <class T> void gru_backward(const Backward<T>&);
template <class T> void rnn_backward(const Backward<T>&);

extern const Table<float> table_f;
extern const Table<double> table_d;
#define RECURRA_TABLE(T)                                                                                  \
  {W<T>,         ROWS,           multiply<T>, lstm_forward<T>, gru_forward<T>,    rnn_forward<T>,          \
   lstm_backward<T>, gru_backward<T>, rnn_backward<T>, outer<T>, outer_tiles<T>, transpose_into<T>, peak<T>, exp_rows<T>, \
   tanh_rows<T>}
const Table<float> table_f = RECURRA_TABLE(float);
const Table<double> table_d = RECURRA_TABLE(double);

}  // namespace RECURRA_TARGET
}  // namespace recurra
