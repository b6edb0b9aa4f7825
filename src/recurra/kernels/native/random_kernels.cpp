// Fixed dilated convolutions over one sequence, and how often each exceeds its thresholds. The plain loops below are what
// the compiler turns into vectors; every sum is added in the order in which it is written.
#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

template <class T> void shares_above(const Shares<T>& s) {
  const int64_t d = s.dilation, wide = s.steps + 2 * s.reach;
  T* total = s.work;                // steps: the sum of all nine inputs
  T* response = total + s.steps;    // steps
  T* summed = response + s.steps;   // wide: the channels of a kernel
  const T* seen = nullptr;
  const int64_t* last = nullptr;
  int64_t kernel = 0;
  for (int64_t i = 0; i < 9; ++i)
    for (int64_t j = i + 1; j < 9; ++j)
      for (int64_t k = j + 1; k < 9; ++k, ++kernel) {
        const int64_t* own = s.channels + kernel * s.width;
        bool same = last != nullptr;
        for (int64_t n = 0; same && n < s.width; ++n) same = own[n] == last[n];
        if (!same) {
          const auto column = [&](int64_t c) { return s.columns + (c < 0 ? s.n_channels : c) * wide; };
          seen = column(own[0]);
          if (s.width > 1) {
            for (int64_t t = 0; t < wide; ++t) summed[t] = seen[t];
            for (int64_t n = 1; n < s.width; ++n) {
              const T* more = column(own[n]);
              for (int64_t t = 0; t < wide; ++t) summed[t] += more[t];
            }
            seen = summed;
          }
          for (int64_t t = 0; t < s.steps; ++t) total[t] = seen[t];
          for (int64_t tap = 1; tap < 9; ++tap) {
            const T* at = seen + tap * d;
            for (int64_t t = 0; t < s.steps; ++t) total[t] += at[t];
          }
          last = own;
        }
        const T *a = seen + i * d, *b = seen + j * d, *c = seen + k * d;
        for (int64_t t = 0; t < s.steps; ++t) response[t] = T(3) * ((a[t] + b[t]) + c[t]) - total[t];
        for (int64_t n = 0; n < s.n_limits; ++n) {
          const T limit = s.limits[kernel * s.n_limits + n];
          int32_t above = 0;
          for (int64_t t = 0; t < s.steps; ++t) above += response[t] > limit;
          s.out[kernel * s.n_limits + n] = T(above) / T(s.steps);
        }
      }
}

template void shares_above<float>(const Shares<float>&);
template void shares_above<double>(const Shares<double>&);

}  // namespace RECURRA_TARGET
}  // namespace recurra
