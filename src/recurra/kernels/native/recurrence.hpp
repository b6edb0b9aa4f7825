// Whole layers: weights packed for the kernels, forward and backward passes over sequences of unequal length.
//
// Rows of one time step need not share the time index: each slot runs through its own sequences back to back, so that
// no step is spent on padding. A sequence is a pointer to its first row and a stride between its steps, which covers
// (time, batch, .), (batch, time, .) and flat ragged layouts alike.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels.hpp"

namespace recurra {

// Memory aligned to a cache line; large blocks ask for large pages, which halves the cost of touching them first.
class Memory {
 public:
  Memory() = default;
  explicit Memory(size_t bytes) { reserve(bytes); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();
  // At least `bytes`; what was there before is lost when it grows. Throws std::bad_alloc.
  void* reserve(size_t bytes);
  template <class T> T* as() const { return static_cast<T*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// The sizes of a layer in one direction.
struct Sizes {
  Cell cell;
  Traits traits;
  int64_t I, H, P;      // P: rows of weight_hr, or H
  bool projected;
  int64_t w, blocks, padded;  // lanes of a vector, ceil(H / w), blocks * w
  int64_t gates;        // traits.gates()
  int64_t saved;        // stride of a saved row of gates
  Variant variant;
  int64_t by_input;     // where in a saved row the gradients by the input's product begin
  int64_t sums;         // numbers of a sequence's sums of gradients by gains, biases and peepholes
  bool narrow;          // the gates of the last block's units share one vector of the forward panels, see lstm.cpp
  int64_t rest() const { return H % w; }
};
Sizes make_sizes(Cell cell, int64_t I, int64_t H, int64_t P, bool projected, int64_t lanes, const Variant& variant);

// Where torch's weights lie; biases and weight_hr may be null. Not owned.
template <class T> struct Raw {
  const T *weight_ih, *weight_hh, *bias_ih, *bias_hh, *weight_hr;
  const T *peephole, *gain_ih, *gain_hh, *gain_c, *bias_c;  // of a variant, or null
};

// Weights of a layer in one direction, laid out in panels by pack(). `back` adds what the backward pass needs.
template <class T> class Weights {
 public:
  Weights(const Table<T>& table, const Sizes& sizes, bool back);
  void pack_forward(const Raw<T>& raw);
  void pack_back(const Raw<T>& raw);
  const Table<T>& table;
  const Sizes sizes;
  Panels<T> ih, hh, hr;
  const T *bias, *bias_n;
  Panels<T> hh_back, ih_back, hr_back;
  Panels<T> hn, hn_back;  // the candidate's recurrent weights, where the reset gate acts before their product
  const T *peephole = nullptr, *gain_ih = nullptr, *gain_hh = nullptr, *gain_c = nullptr, *bias_c = nullptr;
  bool has_back;

 private:
  Memory memory_;
  T *forward_, *back_;
};

// Lays out all directions of a layer, of equal sizes.
template <class T> void pack(Weights<T>* const* weights, const Raw<T>* raw, int64_t directions, int threads);

// One vector of a panel: dst[k * stride + r] = src[r * K + k] for r < rows, and zero for the lanes beyond.
template <class T>
void pack_vector(const Table<T>& table, const T* src, int64_t rows, int64_t K, T* dst, int64_t stride) {
  table.transpose(src, rows, K, K, dst, stride);
  for (int64_t k = 0; k < K && rows < table.lanes; ++k)
    for (int64_t r = rows; r < table.lanes; ++r) dst[k * stride + r] = T(0);
}

// A batch of sequences and where their rows lie. All strides and offsets count numbers, not bytes.
template <class T> struct Batch {
  int64_t size;
  const int64_t* lengths;   // size, each >= 0
  int64_t directions;       // 1 or 2; the second runs backward
  bool reverse;             // with one direction: run backward
  const T* x;               // rows of I
  const int64_t* x_start;   // size: offset of each sequence's first row
  int64_t x_step;           // between steps
  T* out;                   // rows of directions * P
  const int64_t* out_start;
  int64_t out_step;
  const T *h_0, *c_0;       // directions x size x P (or H), or null for zeros
  // Of a variant while training, else null: what a sequence's candidates are multiplied by, directions x size x H; and
  // where states stay as they were, rows of directions x (H, LSTM 2 H) numbers that lie as those of x do.
  const T *drop, *zone;
  const int64_t* zone_start;
  int64_t zone_step;
  const T* drop_of(int64_t direction, int64_t seq, int64_t H) const {
    return drop ? drop + (direction * size + seq) * H : nullptr;
  }
  const T* zone_of(int64_t direction, int64_t seq, int64_t time, int64_t width) const {
    return zone ? zone + zone_start[seq] + time * zone_step + direction * width : nullptr;
  }
};

// Writes zeros past the end of every sequence of a padded layout: steps lengths[b] .. time of `width` numbers each.
template <class T>
void clear_ends(T* rows, const int64_t* start, int64_t step, const int64_t* lengths, int64_t size, int64_t time,
                int64_t width, int threads);

// What is kept for the backward pass, one per direction; rows in flat order, sequence after sequence.
template <class T> struct Saved {
  T* gates;  // total x sizes.saved; null for the RNN, which keeps nothing
  T* cells;  // total x sizes.padded, for the LSTM
};

template <class T>
void forward(const Weights<T>* const* weights, const Batch<T>& batch, T* h_n, T* c_n, const Saved<T>* saved,
             int threads, int mode);

// Gradients wanted are those whose pointer is not null; each is written, not added to.
template <class T> struct Gradients {
  const T *out, *h_n, *c_n;  // given: by the output (rows as batch.out), and by the final states; each may be null
  T* x;                      // rows as batch.x; only rows within the lengths are written
  T *h_0, *c_0;              // directions x size x .
  T *weight_ih[2], *weight_hh[2], *bias_ih[2], *bias_hh[2], *weight_hr[2];
  T* hidden[2];              // total x P: whole derivative by the state after each step, flat rows
  T *peephole[2], *gain_ih[2], *gain_hh[2], *gain_c[2], *bias_c[2];
};

// Overwrites saved.gates with gradients. The batch must be as it was in forward(), its output untouched.
template <class T>
void backward(const Weights<T>* const* weights, const Batch<T>& batch, const Saved<T>* saved, const Gradients<T>& g,
              int threads, int mode);

// Sets the processor to flush denormal numbers for as long as it lives.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();

 private:
  uint64_t before_;
};

}  // namespace recurra
