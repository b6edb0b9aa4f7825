// The heads used at prediction: each number is summed in one fixed order, whatever the batch.
#pragma once

#include <cstdint>

#include "recurrence.hpp"

namespace recurra {

// A weight (outputs x features) in panels, with its bias.
template <class T> class LinearHead {
 public:
  LinearHead(const Table<T>& table, const T* weight, const T* bias, int64_t outputs, int64_t features);
  // y: rows x outputs; x: rows x features
  void apply(const T* x, int64_t rows, T* y) const;
  const int64_t outputs, features;

 private:
  const Table<T>& table_;
  Memory memory_;
  Panels<T> panels_;
  const T* bias_;
};

// rows x classes, in place
template <class T> void softmax(const Table<T>& table, T* x, int64_t rows, int64_t classes);

enum class Pooling { last = 0, mean = 1, max = 2, attention = 3 };

// Running pooling of one sequence; see ../heads/pooling.py.
template <class T> struct PoolState {
  T* total;        // features
  T *top, *mass;   // one number each
  int64_t* count;
};

template <class T> struct Attention {
  const LinearHead<T>* score;  // features -> A
  const LinearHead<T>* context;  // A -> 1
};

// Takes `steps` rows of `features`, `step` numbers apart, into the state.
template <class T>
void pool(const Table<T>& table, Pooling pooling, const Attention<T>& attention, const T* values, int64_t steps,
          int64_t step, int64_t features, const PoolState<T>& state);

}  // namespace recurra
