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
  const T* b = s.b->data + column * s.b->K;
  for (int64_t k = 0; k < s.b->runs.count; ++k) {
    const auto& run = s.b->runs.run[k];
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) a[r] = s.a[row + r] + run.offset;
    accumulate<T, R, NV>(acc, a, b, run.length);
    b += run.length * NV * w;
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

template <int NV> struct MultiplyPanel {
  template <class T, int R> struct Tile {
    static inline void run(const Multiply<T>& s, int64_t row, int64_t panel) { multiply_tile<T, R, NV>(s, row, panel); }
  };
};

// A single row, P whole panels at once.
template <class T, int P> static inline void multiply_row(const Multiply<T>& s, int64_t panel) {
  constexpr int w = W<T>;
  const int64_t column = panel * 4 * w;
  V<T> acc[P][4];
  RECURRA_UNROLL
  for (int p = 0; p < P; ++p) {
    RECURRA_UNROLL
    for (int v = 0; v < 4; ++v) {
      const int64_t at = column + (p * 4 + v) * w;
      if (s.onto)
        acc[p][v] = load_some<T>(s.c[0] + at, int(s.columns - at < w ? s.columns - at : w));
      else
        acc[p][v] = s.bias ? load<T>(s.bias + at) : zero<T>();
    }
  }
  const T* b = s.b->data + column * s.b->K;
  for (int64_t k = 0; k < s.b->runs.count; ++k) {
    const auto& run = s.b->runs.run[k];
    accumulate_row<T, P, 4>(acc, s.a[0] + run.offset, b, 4 * w * s.b->K, run.length);
    b += run.length * 4 * w;
  }
  RECURRA_UNROLL
  for (int p = 0; p < P; ++p) {
    RECURRA_UNROLL
    for (int v = 0; v < 4; ++v) {
      const int64_t at = column + (p * 4 + v) * w;
      store_some<T>(s.c[0] + at, acc[p][v], int(s.columns - at < w ? s.columns - at : w));
    }
  }
}

template <class T> void multiply(const Multiply<T>& s) {
  int64_t first = s.first;
  if (s.rows == 1 && s.b->vectors == 4) {
    const int64_t whole = s.b->total / 4 < s.last ? s.b->total / 4 : s.last;
    for (; first + 2 <= whole; first += 2) multiply_row<T, 2>(s, first);
  }
  for (int64_t j = first; j < s.last; ++j) {
    const int64_t panel = s.down ? first + s.last - 1 - j : j, left = s.b->total - panel * s.b->vectors;
    switch (left < s.b->vectors ? left : s.b->vectors) {
      case 1: each_tile<MultiplyPanel<1>::template Tile, ROWS<1>, T>(s.rows, s, panel); break;
      case 2: each_tile<MultiplyPanel<2>::template Tile, ROWS<2>, T>(s.rows, s, panel); break;
      case 3: each_tile<MultiplyPanel<3>::template Tile, ROWS<3>, T>(s.rows, s, panel); break;
      default: each_tile<MultiplyPanel<4>::template Tile, ROWS<4>, T>(s.rows, s, panel); break;
    }
  }
}

// Samples of one pass. Their gates of one block are copied side by side, and so are their rows of `a`, tile by tile: rows
// that lie a power of two apart would otherwise all fall into the same few sets of the cache.
constexpr int64_t SAMPLES = 128;
// Rows of the result whose samples are copied at once.
constexpr int64_t MOST_ROWS = 384;

template <class T, int R, int NV>
RECURRA_INLINE void outer_tile(const T* a, const T* g, T* c, int64_t samples, bool begin) {
  constexpr int w = W<T>;
  V<T> acc[R][NV];
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) acc[r][v] = begin ? zero<T>() : load<T>(c + (r * NV + v) * w);
  }
  const T* rows[R];
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) rows[r] = a + r * SAMPLES;
  accumulate<T, R, NV>(acc, rows, g, samples);
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) store<T>(c + (r * NV + v) * w, acc[r][v]);
  }
}

template <class T, int NV>
RECURRA_INLINE void outer_rows(int64_t rows, const T* a, const T* g, T* c, int64_t samples, bool begin) {
  switch (rows) {
    case 1: outer_tile<T, 1, NV>(a, g, c, samples, begin); break;
    case 2: outer_tile<T, 2, NV>(a, g, c, samples, begin); break;
    case 3: outer_tile<T, 3, NV>(a, g, c, samples, begin); break;
    case 4:
      if constexpr (ROWS<NV> >= 4) outer_tile<T, 4, NV>(a, g, c, samples, begin);
      break;
    case 5:
      if constexpr (ROWS<NV> >= 5) outer_tile<T, 5, NV>(a, g, c, samples, begin);
      break;
    case 6:
      if constexpr (ROWS<NV> >= 6) outer_tile<T, 6, NV>(a, g, c, samples, begin);
      break;
    default: break;
  }
}

// The gates of one block, samples [from, to), side by side.
template <class T, int NV> RECURRA_INLINE void gather(const Outer<T>& s, int64_t block, int64_t from, int64_t to, T* g) {
  constexpr int w = W<T>;
  constexpr int64_t AHEAD = 16;  // rows, which lie too far apart for the machine to foresee them
  const int64_t stride = s.stride;
  const T* at[NV];
  RECURRA_UNROLL
  for (int v = 0; v < NV; ++v) at[v] = s.g + from * stride + s.start[v] + block * s.step[v];
  for (int64_t k = from; k < to; ++k, g += NV * w) {
    RECURRA_UNROLL
    for (int v = 0; v < NV; ++v) {
      __builtin_prefetch(at[v] + AHEAD * stride);
      store<T>(g + v * w, load<T>(at[v]));
      at[v] += stride;
    }
  }
}

// Numbers [m, end) of rows of samples [from, to), each in SAMPLES places of its own.
template <class T>
void turn(const T* const* rows, int64_t m, int64_t end, int64_t from, int64_t to, T* a) {
  int64_t k = from;
  for (; k + 8 <= to; k += 8) {
    int64_t j = m;
    for (; j + 8 <= end; j += 8) turn_square(rows + k, j, a + (j - m) * SAMPLES + (k - from), SAMPLES);
    for (; j < end; ++j)
      for (int r = 0; r < 8; ++r) a[(j - m) * SAMPLES + (k - from) + r] = rows[k + r][j];
  }
  for (; k < to; ++k)
    for (int64_t j = m; j < end; ++j) a[(j - m) * SAMPLES + (k - from)] = rows[k][j];
}

// The same of the joined rows of an Outer.
template <class T> void turn_joined(const Outer<T>& s, int64_t m, int64_t end, int64_t from, int64_t to, T* a) {
  int64_t begin = 0;
  for (int part = 0; part < 2; begin += s.M[part++]) {
    const int64_t low = m > begin ? m : begin, high = end < begin + s.M[part] ? end : begin + s.M[part];
    if (low < high) turn<T>(s.a[part], low - begin, high - begin, from, to, a + (low - m) * SAMPLES);
  }
  for (int64_t j = begin; j < end; ++j)
    for (int64_t k = 0; k < to - from; ++k) a[(j - m) * SAMPLES + k] = T(1);
}

template <class T> int64_t outer_rows(const Outer<T>& s) {
  return s.vectors >= 4 ? ROWS<4> : s.vectors == 3 ? ROWS<3> : s.vectors == 2 ? ROWS<2> : ROWS<1>;
}

template <class T> constexpr int64_t OUTER_WORK = SAMPLES * (4 * W<T> + MOST_ROWS);

template <class T> void outer(const Outer<T>& s, T* work, int64_t first, int64_t last) {
  constexpr int w = W<T>;
  const int64_t M = s.rows(), most = outer_rows<T>(s), per_block = (M + most - 1) / most, at_once = MOST_ROWS / most;
  const int64_t first_block = first / per_block, last_block = (last - 1) / per_block;
  T *g = work, *a = work + SAMPLES * 4 * w;
  for (int64_t begin = 0; begin < per_block; begin += at_once) {
    const int64_t end = begin + at_once < per_block ? begin + at_once : per_block;
    const int64_t m = begin * most, m_end = end * most < M ? end * most : M;
    for (int64_t from = 0; from < s.samples; from += SAMPLES) {
      const int64_t to = from + SAMPLES < s.samples ? from + SAMPLES : s.samples;
      turn_joined<T>(s, m, m_end, from, to, a);
      for (int64_t block = first_block; block <= last_block; ++block) {
        // of this block's tiles, those in [first, last) and in [begin, end)
        int64_t tile = first - block * per_block, stop = last - block * per_block;
        if (tile < begin) tile = begin;
        if (stop > end) stop = end;
        if (tile >= stop) continue;
        switch (s.vectors) {
          case 4: gather<T, 4>(s, block, from, to, g); break;
          case 3: gather<T, 3>(s, block, from, to, g); break;
          case 2: gather<T, 2>(s, block, from, to, g); break;
          default: gather<T, 1>(s, block, from, to, g); break;
        }
        for (; tile < stop; ++tile) {
          const int64_t row = tile * most, rows = M - row < most ? M - row : most;
          const T* at = a + (row - m) * SAMPLES;
          T* c = s.c + (block * M + row) * s.vectors * w;
          switch (s.vectors) {
            case 4: outer_rows<T, 4>(rows, at, g, c, to - from, from == 0); break;
            case 3: outer_rows<T, 3>(rows, at, g, c, to - from, from == 0); break;
            case 2: outer_rows<T, 2>(rows, at, g, c, to - from, from == 0); break;
            default: outer_rows<T, 1>(rows, at, g, c, to - from, from == 0); break;
          }
        }
      }
    }
  }
}

template <class T>
void transpose(const T* src, int64_t rows, int64_t columns, int64_t stride, T* dst, int64_t dst_stride) {
  const int64_t squares = rows / 8 * 8, columns_in_squares = columns / 8 * 8;
  for (int64_t k = 0; k < columns_in_squares; k += 8)
    for (int64_t r = 0; r < squares; r += 8) {
      const T* at[8];
      for (int j = 0; j < 8; ++j) at[j] = src + (r + j) * stride;
      turn_square(at, k, dst + k * dst_stride + r, dst_stride);
    }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t k = r < squares ? columns_in_squares : 0; k < columns; ++k) dst[k * dst_stride + r] = src[r * stride + k];
}

template <class T> T peak(int64_t rounds) {
  V<T> sum[ROWS<4> * 4];
  const V<T> factor = splat(T(0.5)), term = splat(T(0.25));
  RECURRA_UNROLL
  for (int v = 0; v < ROWS<4> * 4; ++v) sum[v] = splat(T(v));  // equal ones would be computed once
  for (int64_t j = 0; j < rounds; ++j) {
    RECURRA_UNROLL
    for (int v = 0; v < ROWS<4> * 4; ++v) sum[v] = fma(sum[v], factor, term);
  }
  V<T> all = sum[0];
  for (int v = 1; v < ROWS<4> * 4; ++v) all = all + sum[v];
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
template <class T> void shares_above(const Shares<T>&);
template <class T> void nearest_windows(const Shapelets<T>&);
template <class T> void variant_forward(const VariantForward<T>&, VariantPart);
template <class T> void variant_backward(const VariantBackward<T>&, VariantPart);
template <class T> void adam(const Adam<T>&, T*, const T*, T*, T*, int64_t);
template <class T> double sum_of_squares(const T*, int64_t);
template <class T> double linear_cross_entropy(const LinearCrossEntropy<T>&);
template <class T> void linear_gradients(const LinearCrossEntropy<T>&, T, T*, T*, T*);

extern const Table<float> table_f;
extern const Table<double> table_d;
#define RECURRA_TABLE(T)                                                                                  \
  {W<T>, ROWS<4>, OUTER_WORK<T>, multiply<T>,                                                             \
   {rnn_forward<T>, rnn_forward<T>, lstm_forward<T>, gru_forward<T>},                                     \
   {rnn_backward<T>, rnn_backward<T>, lstm_backward<T>, gru_backward<T>},                                 \
   outer<T>, outer_rows<T>, transpose<T>, peak<T>, exp_rows<T>, tanh_rows<T>, shares_above<T>,            \
   nearest_windows<T>, variant_forward<T>, variant_backward<T>, adam<T>, sum_of_squares<T>, linear_cross_entropy<T>,           \
   linear_gradients<T>}
const Table<float> table_f = RECURRA_TABLE(float);
const Table<double> table_d = RECURRA_TABLE(double);

}  // namespace RECURRA_TARGET
}  // namespace recurra
