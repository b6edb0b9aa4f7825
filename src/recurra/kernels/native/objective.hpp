// The end of a small network in training: the head on the final states, the cross entropy, and the gradients of both.
//
// Legend: B sequences, D directions, P numbers of a direction's state, C outputs. States are (D, B, P); the head sees
// those of a sequence side by side, F = D * P numbers.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace recurra {

struct HeadSizes {
  int64_t B, D, P, C;
  int64_t F() const { return D * P; }
};

// scores (B, C) = features * weight^T + bias, summed as at prediction (LinearHead); features (B, F) are left for later.
template <class T>
void head_scores(const Table<T>& table, const HeadSizes& sizes, const T* states, const T* weight, const T* bias,
                 T* features, T* scores);

// From the gradient of the scores those of weight, bias and states.
template <class T>
void head_gradients(const Table<T>& table, const HeadSizes& sizes, const T* by_scores, const T* features,
                    const T* weight, T* by_weight, T* by_bias, T* by_states);

// Scores, the cross entropy `loss` of their softmax (the mean over rows, weighted if there are weights), and the gradients
// of weight, bias and states; false, with the scores alone, when a target is outside of [0, C).
template <class T>
bool head_in_one(const Table<T>& table, const HeadSizes& sizes, const T* states, const T* weight, const T* bias,
                 const int64_t* targets, const T* weights, T* scores, T* by_weight, T* by_bias, T* by_states,
                 double* loss);

}  // namespace recurra
