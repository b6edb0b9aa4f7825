// How near shapelets come to the windows of one sequence. Windows are taken tile by tile, each normalized once for all
// shapelets; a distance is added channel after channel, tap after tap.
#include <cmath>

#include "kernels.hpp"
#include "vector.hpp"

namespace recurra {
namespace RECURRA_TARGET {

// A window that moves less than this is not divided by its deviation.
constexpr double LEAST_DEVIATION = 1e-6;

// Tap after tap of the windows from `first` on, of each channel, a row of a tile.
template <class T> static void windows_of(const Shapelets<T>& s, int64_t first, int64_t n) {
  double *mean = s.moments, *deviation = mean + SHAPELET_TILE;
  for (int64_t c = 0; c < s.n_channels; ++c) {
    const T* x = s.columns + c * s.steps + first;
    T* rows = s.work + c * s.taps * SHAPELET_TILE;
    if (!s.normalized) {
      for (int64_t k = 0; k < s.taps; ++k)
        for (int64_t t = 0; t < n; ++t) rows[k * SHAPELET_TILE + t] = x[k * s.dilation + t];
      continue;
    }
    for (int64_t t = 0; t < n; ++t) mean[t] = deviation[t] = 0.0;
    for (int64_t k = 0; k < s.taps; ++k)
      for (int64_t t = 0; t < n; ++t) mean[t] += double(x[k * s.dilation + t]);
    for (int64_t t = 0; t < n; ++t) mean[t] /= double(s.taps);
    for (int64_t k = 0; k < s.taps; ++k)
      for (int64_t t = 0; t < n; ++t) {
        const double away = double(x[k * s.dilation + t]) - mean[t];
        deviation[t] += away * away;
      }
    for (int64_t t = 0; t < n; ++t) {
      const double found = std::sqrt(deviation[t] / double(s.taps));
      deviation[t] = found > LEAST_DEVIATION ? found : 1.0;
    }
    for (int64_t k = 0; k < s.taps; ++k)
      for (int64_t t = 0; t < n; ++t)
        rows[k * SHAPELET_TILE + t] = T((double(x[k * s.dilation + t]) - mean[t]) / deviation[t]);
  }
}

template <class T> void nearest_windows(const Shapelets<T>& s) {
  const int64_t count = s.steps - (s.taps - 1) * s.dilation;
  T* distance = s.work + s.n_channels * s.taps * SHAPELET_TILE;
  for (int64_t first = 0; first < count; first += SHAPELET_TILE) {
    const int64_t n = count - first < SHAPELET_TILE ? count - first : SHAPELET_TILE;
    windows_of(s, first, n);
    for (int64_t i = 0; i < s.n_shapelets; ++i) {
      for (int64_t t = 0; t < n; ++t) distance[t] = T(0);
      for (int64_t p = 0; p < s.width; ++p) {
        const int64_t c = s.channels[i * s.width + p];
        if (c < 0) continue;
        for (int64_t k = 0; k < s.taps; ++k) {
          const T own = s.values[(i * s.width + p) * s.taps + k];
          const T* row = s.work + (c * s.taps + k) * SHAPELET_TILE;
          for (int64_t t = 0; t < n; ++t) distance[t] += std::fabs(own - row[t]);
        }
      }
      const T limit = s.limits[i];
      int32_t within = 0;
      for (int64_t t = 0; t < n; ++t) within += distance[t] < limit;
      // The least of all lanes first: where it stands is asked only if it is nearer than any window before.
      T least = distance[0];
      int64_t t = 0;
      if (n >= W<T>) {
        V<T> low = load_some<T>(distance, W<T>);
        for (t = W<T>; t + W<T> <= n; t += W<T>) {
          const V<T> here = load_some<T>(distance + t, W<T>);
          low = here < low ? here : low;
        }
        for (int j = 0; j < W<T>; ++j) least = low[j] < least ? low[j] : least;
      }
      for (; t < n; ++t) least = distance[t] < least ? distance[t] : least;
      if (first == 0 || least < s.least[i]) {
        int64_t at = 0;
        while (at + 1 < n && distance[at] != least) ++at;
        s.least[i] = least;
        s.nearest[i] = first + at;
      }
      s.within[i] = (first == 0 ? 0 : s.within[i]) + within;
    }
  }
}

template void nearest_windows<float>(const Shapelets<float>&);
template void nearest_windows<double>(const Shapelets<double>&);

}  // namespace RECURRA_TARGET
}  // namespace recurra
