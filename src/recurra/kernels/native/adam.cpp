// A step of Adam, and how long a gradient is. The plain loops below are what the compiler turns into vectors; no product
// and sum is fused, roots and quotients are rounded right, and sums are so many as no vector has lanes, so that every
// instruction set gives the same bits.
#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

RECURRA_INLINE float root(float x) { return __builtin_sqrtf(x); }
RECURRA_INLINE double root(double x) { return __builtin_sqrt(x); }

template <class T>
void adam(const Adam<T>& s, T* __restrict weights, const T* __restrict gradient, T* __restrict mean,
          T* __restrict square, int64_t n) {
  for (int64_t k = 0; k < n; ++k) {
    const T before = weights[k] * s.decay;
    const T g = s.penalty != 0 ? s.sign * gradient[k] + s.penalty * before : s.sign * gradient[k];
    const T m = mean[k] + s.first * (g - mean[k]);
    const T v = s.kept * square[k] + s.second * g * g;
    mean[k] = m;
    square[k] = v;
    weights[k] = before - s.rate * m / (root(v) / s.correction + s.eps);
  }
}

template <class T> double sum_of_squares(const T* x, int64_t n) {
  constexpr int SUMS = 16;
  double sum[SUMS] = {};
  int64_t k = 0;
  for (; k + SUMS <= n; k += SUMS)
    for (int j = 0; j < SUMS; ++j) sum[j] += double(x[k + j]) * double(x[k + j]);
  for (int j = 0; k < n; ++k, ++j) sum[j] += double(x[k]) * double(x[k]);
  for (int j = 1; j < SUMS; ++j) sum[0] += sum[j];
  return sum[0];
}

template void adam<float>(const Adam<float>&, float*, const float*, float*, float*, int64_t);
template void adam<double>(const Adam<double>&, double*, const double*, double*, double*, int64_t);
template double sum_of_squares<float>(const float*, int64_t);
template double sum_of_squares<double>(const double*, int64_t);

}  // namespace RECURRA_TARGET
}  // namespace recurra
