// Stacked layers fed one time step at a time: everything is allocated at the start, a step neither allocates nor throws.
#pragma once

#include <vector>

#include "variant_cell.hpp"

namespace recurra {

template <class T> class Step {
 public:
  // `layers` must outlive the object; h: layers x batch x P of each layer, c: layers x batch x padded (LSTM), both the
  // caller's, zero or a state to go on from.
  Step(std::vector<const Weights<T>*> layers, int64_t batch, T* h, T* c);
  int64_t input_numbers() const { return batch_ * layers_[0]->sizes.I; }
  // Advances every layer by one step; x: batch x I of the first layer. Returns the last layer's h.
  const T* step(const T* x) noexcept;

 private:
  std::vector<const Weights<T>*> layers_;
  int64_t batch_;
  std::vector<T*> h_, c_;  // of each layer
  Memory next_, scratch_;
  std::vector<VariantCell<T>> variants_;  // of each layer
  std::vector<const T*> x_rows_, h_rows_, c_rows_;
  std::vector<T*> c_out_, out_, m_;
};

}  // namespace recurra
