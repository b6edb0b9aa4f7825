// What every instruction set offers: a table of functions on rows given by pointers, and their arguments.
//
// Legend: T type of the numbers (float or double), W lanes of a vector, I input, H hidden, P projection or H,
// N columns. A block is W hidden units; Hp is H rounded up to whole blocks. Padded units have zero weights and stay
// zero in every buffer of ours. The caller owns all memory; no function allocates or throws.
#pragma once

#include <cstdint>

#include "cells.hpp"

namespace recurra {

// Where in a row the numbers lie that a matrix is multiplied by, one run after the other.
struct Runs {
  int64_t count;
  struct {
    int64_t offset, length;
  } run[5];  // four gates of the units of whole blocks, then those of the last block, gate by gate
};

// A matrix of K rows and N columns cut into panels of `vectors` * W columns, each panel contiguous: K rows of
// `vectors` * W numbers. The last panel is narrower when the columns run out.
template <class T> struct Panels {
  const T* data = nullptr;  // 64-byte aligned
  int64_t K = 0;
  int64_t vectors = 4;  // per panel
  int64_t total = 0;    // vectors in all panels together
  Runs runs = {};       // of K numbers together
};

// c[r][n] = start + sum over k rising of a[r][k] * b[k][n], where start is bias[n], or c[r][n] itself, or 0, and k counts
// along the runs of b.
template <class T> struct Multiply {
  int64_t rows;
  const T* const* a;    // rows pointers
  const Panels<T>* b;
  const T* bias;        // laid out as the columns of b, or null
  bool onto;            // start from c
  T* const* c;          // rows pointers; must not overlap a
  int64_t columns;      // valid columns of c: what lies beyond is neither read nor written
  int64_t first, last;  // panels to compute
  bool down;            // from the last to the first: what the previous step touched last is still in the cache
};

// One time step of the forward pass for some rows and blocks.
template <class T> struct Forward {
  int64_t rows;
  const T* const* x;       // rows of I; null when `pre` is given
  const T* const* pre;     // rows of bias + input projection, laid out as the panels; null when x is given
  const T* const* h;       // rows of P: previous state
  const T* const* c_prev;  // rows of Hp: previous cell state (LSTM)
  T* const* c;             // rows of Hp: new cell state (LSTM); may be c_prev
  T* const* gates;         // rows to save activated gates in, or null
  T* const* out;           // rows of H: new state, or o * tanh(c) with projection
  const Panels<T>* w_ih;
  const Panels<T>* w_hh;
  const T* bias;    // laid out as the panels of w_ih
  const T* bias_n;  // Hp: recurrent bias of the candidate (GRU)
  int64_t hidden;   // H
  bool relu;        // RNN: max(0, .) in place of tanh
  int64_t first, last;  // blocks (LSTM, GRU) or panels (RNN)
  bool down;            // from the last to the first
  const T* const* drop;  // of a variant, as in VariantForward
  const T* const* zone;
};

// One time step of the backward pass, element by element: gates become gate gradients in place.
template <class T> struct Backward {
  int64_t rows;
  const T* const* dout;    // rows of H: gradient of the output, or null
  T* const* dh;            // rows of Hp: gradient that came back through time; GRU leaves dh * z in it
  T* const* dc;            // rows of Hp: same for the cell state (LSTM), updated
  T* const* gates;         // rows of gates, overwritten by their gradients
  const T* const* c;       // rows of Hp (LSTM)
  const T* const* c_prev;  // rows of Hp (LSTM)
  const T* const* h;       // rows of H: state after the step (RNN), before it (GRU)
  T* const* hidden_out;    // rows of H: whole derivative by the state, or null
  T* const* m_out;         // rows of Hp: o * tanh(c) for the projection's gradient, or null
  int64_t hidden;
  bool relu;
  int64_t first, last;  // blocks
};

// What a layer does otherwise than the plain LSTM or GRU: see ../cells/cell_variants.py.
struct Variant {
  bool any = false, peephole = false, norm = false, before = false;
  double slope = 0, zone_h = 0, zone_c = 0;  // of a hard sigmoid, or 0; shares of the old states, where nothing is drawn
};
enum class VariantPart { lstm, gru, gru_gates, gru_candidate };  // the last two: reset before the product

// One time step of a variant for some rows, once the products are there.
template <class T> struct VariantForward {
  int64_t rows, hidden;
  Variant variant;
  T* const* a;             // rows of the input's product, with the bias but for normalization; overwritten
  T* const* u;             // rows of the state's product (reset before: r and z only); overwritten
  const T* const* q;       // rows of Hp: product of r * h (reset before)
  T* const* reset;         // rows of Hp: r * h (reset before)
  const T* const* h;       // rows of H: previous state
  const T* const* c_prev;  // as in Forward
  T* const* c;
  T* const* gates;
  T* const* out;
  const T* const* drop;  // rows of H: what the candidate is multiplied by, or null
  const T* const* zone;  // rows of H, in the LSTM 2 H: 1 where a state stays as it was, or null
  const T *bias, *bias_n, *peephole, *gain_ih, *gain_hh, *gain_c, *bias_c;  // laid out as the columns
};

// One time step of its backward pass; what is in Backward means the same here.
template <class T> struct VariantBackward {
  int64_t rows, hidden;
  Variant variant;
  const T* const* dout;
  T* const* dh;  // GRU and zoneout leave in it what does not go through a product
  T* const* dc;
  T* const* gates;
  const T* const* c_prev;
  const T* const* h;  // rows of H: state before the step (GRU)
  T* const* hidden_out;
  T* const* m_out;
  const T* const* drop;
  const T* const* zone;
  T* const* sums;          // rows, one for each sequence: gradients of gains, biases and peepholes, added to; or null
  const T* const* dreset;  // rows of Hp: gradient by r * h (reset before)
  T* work;                 // 6 * Hp
  const T *bias, *bias_n, *peephole, *gain_ih, *gain_hh, *gain_c, *bias_c;
};

// c[m][v] = sum over samples rising of a[s][m] * g[s][v]: gradient of weights, tiles of a few m by one block of gates.
// A row of `a` is M[0] numbers, then M[1] others that lie elsewhere, then `ones`, 0 or 1, times the number 1 (the bias).
template <class T> struct Outer {
  int64_t samples;
  const T* const* a[2];  // samples pointers each
  int64_t M[2], ones;
  int64_t rows() const { return M[0] + M[1] + ones; }
  const T* g;          // samples rows
  int64_t stride;      // between rows of g
  int64_t vectors;     // of a block, at most 4
  int64_t step[4];     // offset of vector v of block u is start[v] + u * step[v]
  int64_t start[4];
  int64_t blocks;
  T* c;  // blocks x rows() x vectors x W
};

// Shares of steps at which fixed convolutions over one sequence exceed thresholds, see kernels/fronts/random_kernels.py.
template <class T> struct Shares {
  int64_t steps, reach, dilation;  // reach: 4 * dilation, the zeros before and after the sequence
  int64_t n_channels, width;       // of the sequence; that a kernel sees
  const T* columns;                // n_channels + 1 rows of steps + 2 * reach, the last one zeros
  const int64_t* channels;         // 84 rows of width, -1 for none
  int64_t n_limits;
  const T* limits;  // 84 rows of n_limits
  T* work;          // 3 * steps + 2 * reach
  T* out;           // 84 rows of n_limits
};

// How near shapelets come to the windows of one sequence, see kernels/fronts/shapelets.py.
template <class T> struct Shapelets {
  int64_t steps, dilation, taps;  // steps: at least (taps - 1) * dilation + 1
  int64_t n_channels, width;      // of the sequence; that a shapelet sees
  bool normalized;
  const T* columns;         // n_channels rows of steps
  int64_t n_shapelets;
  const int64_t* channels;  // n_shapelets rows of width, -1 for none
  const T* values;          // n_shapelets rows of width rows of taps
  const T* limits;          // n_shapelets
  T* work;                  // (n_channels * taps + 1) * SHAPELET_TILE
  double* moments;          // 2 * SHAPELET_TILE
  T* least;                 // n_shapelets, and so the next two: the distance of the nearest window, which one it is,
  int64_t *nearest, *within;  // and how many are nearer than the limit
};
inline constexpr int64_t SHAPELET_TILE = 256;

// A step of Adam, the same for all arrays: see training/optimizers.py.
template <class T> struct Adam {
  T sign;           // -1 where the loss is to grow
  T decay;          // weights are multiplied by it
  T penalty;        // so many times the weights join their gradient
  T first, second;  // what the gradient and its square add to their running means: 1 - beta1, 1 - beta2
  T kept;           // of the mean of squares: beta2
  T rate;           // lr / (1 - beta1^t)
  T correction;     // sqrt(1 - beta2^t)
  T eps;
};

// The mean cross entropy of a linear head over rows, see nn/heads/linear_cross_entropy.py.
template <class T> struct LinearCrossEntropy {
  int64_t parts, rows, size, classes;
  const T* seen;            // parts x rows x size: a row's features are its `size` numbers of every part, side by side
  const T *weight, *bias;   // classes x (parts * size); classes, or null
  const int64_t* targets;   // rows, each in [0, classes)
  const T* row_weights;     // rows, or null
  T *logits, *slopes;       // rows x classes: of the head; derivative of the loss by them
};

template <class T> struct Table {
  int64_t lanes, rows;
  int64_t outer_work;  // numbers outer() needs to work in
  void (*multiply)(const Multiply<T>&);
  void (*forward[CELLS])(const Forward<T>&);    // of each cell, by its number
  void (*backward[CELLS])(const Backward<T>&);
  void (*outer)(const Outer<T>&, T* work, int64_t first, int64_t last);  // range of tiles
  int64_t (*outer_rows)(const Outer<T>&);  // m of a tile; the tiles of a block are counted before those of the next
  // dst[k * dst_stride + r] = src[r * stride + k] for r < rows and k < columns
  void (*transpose)(const T* src, int64_t rows, int64_t columns, int64_t stride, T* dst, int64_t dst_stride);
  // `rounds` times 24 fused multiply-adds of whole vectors in registers: what the machine can do at best
  T (*peak)(int64_t rounds);
  void (*exp_rows)(T* x, int64_t n);
  void (*tanh_rows)(T* x, int64_t n);
  void (*shares_above)(const Shares<T>&);
  void (*nearest_windows)(const Shapelets<T>&);
  void (*variant_forward)(const VariantForward<T>&, VariantPart);
  void (*variant_backward)(const VariantBackward<T>&, VariantPart);
  void (*adam)(const Adam<T>&, T* weights, const T* gradient, T* mean, T* square, int64_t n);
  double (*sum_of_squares)(const T* x, int64_t n);
  double (*linear_cross_entropy)(const LinearCrossEntropy<T>&);  // fills logits and slopes
  // The gradients wanted, those not null, for slopes times factor.
  void (*linear_gradients)(const LinearCrossEntropy<T>&, T factor, T* by_seen, T* by_weight, T* by_bias);
};

struct Isa {
  const char* name;
  const Table<float>* f;
  const Table<double>* d;
};

// The instruction set of this process: RECURRA_ISA if set and there, else the first the machine has. Null with `why`
// filled in when RECURRA_ISA names one that is not there.
const Isa* choose_isa(const char** why);
// Names of all that this machine can run, best first, separated by spaces.
const char* available_isas();

}  // namespace recurra
