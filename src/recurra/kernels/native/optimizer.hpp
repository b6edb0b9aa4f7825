// Arrays of an optimizer by their addresses, as they come from Python.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace recurra {

// One step over arrays of `sizes` numbers; `at` holds the addresses of the weights of every array, then of the gradients,
// running means and means of squares.
template <class T>
void adam_all(const Table<T>& table, const std::vector<int64_t>& at, const std::vector<int64_t>& sizes, const Adam<T>& step,
              int threads);

// Euclidean norm of all arrays together, the same bits for any number of threads.
template <class T>
double norm_of_all(const Table<T>& table, const std::vector<int64_t>& at, const std::vector<int64_t>& sizes, int threads);

}  // namespace recurra
