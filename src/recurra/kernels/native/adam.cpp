// What a training step does to every weight once: the sum of squares of a gradient, and a step of Adam.
#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

template <class T> void adam(const Adam<T>& s) {
  constexpr int w = W<T>;
  const V<T> l2 = splat(s.l2), keep = splat(s.keep), rate = splat(-s.rate), eps = splat(s.eps), correction = splat(s.root);
  const V<T> beta2 = splat(s.beta2), new1 = splat(s.new1), new2 = splat(s.new2);
  for (int64_t j = 0; j < s.n; j += w) {
    const int left = int(s.n - j < w ? s.n - j : w);
    const V<T> weight = load_some<T>(s.weight + j, left);
    const V<T> g = fma(l2, weight, load_some<T>(s.gradient + j, left));
    V<T> first = load_some<T>(s.first + j, left), second = load_some<T>(s.second + j, left);
    first = fma(new1, g - first, first);
    second = fma(new2 * g, g, beta2 * second);
    store_some<T>(s.first + j, first, left);
    store_some<T>(s.second + j, second, left);
    store_some<T>(s.weight + j, fma(rate, first / fma(correction, root(second), eps), keep * weight), left);
  }
}

template <class T> T sum_of_squares(const T* x, int64_t n) {
  constexpr int w = W<T>, at_once = 4;
  V<T> sum[at_once] = {zero<T>(), zero<T>(), zero<T>(), zero<T>()};
  int64_t j = 0;
  for (; j + at_once * w <= n; j += at_once * w) {
    RECURRA_UNROLL
    for (int v = 0; v < at_once; ++v) {
      const V<T> part = load<T>(x + j + v * w);
      sum[v] = fma(part, part, sum[v]);
    }
  }
  for (; j < n; j += w) {
    const V<T> part = load_some<T>(x + j, int(n - j < w ? n - j : w));
    sum[0] = fma(part, part, sum[0]);
  }
  const V<T> all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  T total = all[0];
  for (int lane = 1; lane < w; ++lane) total += all[lane];
  return total;
}

template void adam<float>(const Adam<float>&);
template void adam<double>(const Adam<double>&);
template float sum_of_squares<float>(const float*, int64_t);
template double sum_of_squares<double>(const double*, int64_t);

}  // namespace RECURRA_TARGET
}  // namespace recurra
