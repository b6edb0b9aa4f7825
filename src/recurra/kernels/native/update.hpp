// What a training step does with the gradients of all weights: their norm, and a step of Adam. The work is cut into pieces
// of one size, so that no result depends on how many threads there are.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace recurra {

// The square root of the sum of squares over all arrays together. Sums of pieces are added in their order, in double.
template <class T>
double norm(const Table<T>& table, const std::vector<const T*>& arrays, const std::vector<int64_t>& sizes, int threads);

// The numbers of an optimizer, in double until they meet the weights.
struct AdamRule {
  double rate, beta1, beta2, eps, weight_decay;
  bool decoupled;  // AdamW: the decay does not pass through the moments
};

// Every entry of `what` is one weight array; steps[i], how many steps it has taken, is counted up.
template <class T>
void adam(const Table<T>& table, const AdamRule& rule, std::vector<Adam<T>>& what, const std::vector<T*>& steps,
          int threads);

}  // namespace recurra
