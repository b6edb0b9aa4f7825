// A linear head and its cross entropy, and their gradients. Plain loops that the compiler turns into vectors: a product is a
// sum of SUMS parts whatever the vector, so that no bit depends on the instruction set but for those of exp.
#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

constexpr int SUMS = 16;

template <class T> RECURRA_INLINE T dot(const T* __restrict a, const T* __restrict b, int64_t n) {
  T sum[SUMS] = {};
  int64_t k = 0;
  for (; k + SUMS <= n; k += SUMS)
    for (int j = 0; j < SUMS; ++j) sum[j] += a[k + j] * b[k + j];
  for (int j = 0; k < n; ++k, ++j) sum[j] += a[k] * b[k];
  for (int half = SUMS / 2; half; half /= 2)
    for (int j = 0; j < half; ++j) sum[j] += sum[j + half];
  return sum[0];
}

template <class T> RECURRA_INLINE void add_times(T* __restrict to, T factor, const T* __restrict from, int64_t n) {
  for (int64_t k = 0; k < n; ++k) to[k] += factor * from[k];
}

// The loss of one row, and its derivative by the logits.
template <class T> static double row_loss(const T* logits, T* slope, int64_t classes, int64_t target) {
  T most = logits[0];
  for (int64_t c = 1; c < classes; ++c)
    if (logits[c] > most || logits[c] != logits[c]) most = logits[c];
  for (int64_t c = 0; c < classes; c += W<T>) {
    const int left = int(classes - c < W<T> ? classes - c : W<T>);
    store_some<T>(slope + c, exp(load_some<T>(logits + c, left) - splat(most)), left);
  }
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += double(slope[c]);
  for (int64_t c = 0; c < classes; ++c) slope[c] = T(double(slope[c]) / sum);
  slope[target] -= T(1);
  return __builtin_log(sum) + double(most) - double(logits[target]);
}

template <class T> double linear_cross_entropy(const LinearCrossEntropy<T>& s) {
  const int64_t features = s.parts * s.size;
  double loss = 0, mass = 0;
  for (int64_t r = 0; r < s.rows; ++r) {
    T *logits = s.logits + r * s.classes, *slope = s.slopes + r * s.classes;
    for (int64_t c = 0; c < s.classes; ++c) {
      T sum = s.bias ? s.bias[c] : T(0);
      for (int64_t p = 0; p < s.parts; ++p)
        sum += dot<T>(s.seen + (p * s.rows + r) * s.size, s.weight + c * features + p * s.size, s.size);
      logits[c] = sum;
    }
    const double weight = s.row_weights ? double(s.row_weights[r]) : 1.0;
    const double own = row_loss<T>(logits, slope, s.classes, s.targets[r]);
    loss += weight * own;
    mass += weight;
  }
  // rows that all weigh nothing teach nothing
  const double share = mass > 0 ? 1 / mass : 0;
  for (int64_t r = 0; r < s.rows; ++r) {
    const T factor = T(share * (s.row_weights ? double(s.row_weights[r]) : 1.0));
    for (int64_t c = 0; c < s.classes; ++c) s.slopes[r * s.classes + c] *= factor;
  }
  return mass > 0 ? loss / mass : 0;
}

template <class T> void linear_gradients(const LinearCrossEntropy<T>& s, T factor, T* by_seen, T* by_weight, T* by_bias) {
  const int64_t features = s.parts * s.size, numbers = s.rows * s.classes;
  if (factor != T(1))
    for (int64_t k = 0; k < numbers; ++k) s.slopes[k] *= factor;
  if (by_seen)
    for (int64_t p = 0; p < s.parts; ++p)
      for (int64_t r = 0; r < s.rows; ++r) {
        T* to = by_seen + (p * s.rows + r) * s.size;
        for (int64_t k = 0; k < s.size; ++k) to[k] = T(0);
        for (int64_t c = 0; c < s.classes; ++c)
          add_times<T>(to, s.slopes[r * s.classes + c], s.weight + c * features + p * s.size, s.size);
      }
  for (int64_t c = 0; c < s.classes; ++c) {
    if (by_weight)
      for (int64_t p = 0; p < s.parts; ++p) {
        T* to = by_weight + c * features + p * s.size;
        for (int64_t k = 0; k < s.size; ++k) to[k] = T(0);
        for (int64_t r = 0; r < s.rows; ++r)
          add_times<T>(to, s.slopes[r * s.classes + c], s.seen + (p * s.rows + r) * s.size, s.size);
      }
    if (!by_bias) continue;
    by_bias[c] = T(0);
    for (int64_t r = 0; r < s.rows; ++r) by_bias[c] += s.slopes[r * s.classes + c];
  }
}

template double linear_cross_entropy<float>(const LinearCrossEntropy<float>&);
template double linear_cross_entropy<double>(const LinearCrossEntropy<double>&);
template void linear_gradients<float>(const LinearCrossEntropy<float>&, float, float*, float*, float*);
template void linear_gradients<double>(const LinearCrossEntropy<double>&, double, double*, double*, double*);

}  // namespace RECURRA_TARGET
}  // namespace recurra
