#include "objective.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "heads.hpp"

namespace recurra {

namespace {

// c (rows, N) = a (rows, K) * b (K, N), all with their rows one after the other.
template <class T>
void product(const Table<T>& table, int64_t rows, int64_t K, int64_t N, const T* a, const T* b, T* c) {
  const int64_t w = table.lanes, total = (N + w - 1) / w;
  Memory memory(size_t(K * total * w + 64) * sizeof(T));
  T* data = memory.as<T>();
  for (int64_t first = 0; first < total; first += 4) {
    const int64_t width = std::min<int64_t>(4, total - first) * w, valid = std::min(width, N - first * w);
    T* to = data + first * w * K;
    for (int64_t k = 0; k < K; ++k, to += width) {
      std::copy_n(b + k * N + first * w, valid, to);
      std::fill(to + valid, to + width, T(0));
    }
  }
  const Panels<T> panels{data, K, 4, total};
  std::vector<const T*> from(static_cast<size_t>(rows));
  std::vector<T*> onto(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) {
    from[size_t(r)] = a + r * K;
    onto[size_t(r)] = c + r * N;
  }
  Multiply<T> m{};
  m.rows = rows;
  m.a = from.data();
  m.b = &panels;
  m.parts = 1;
  m.c = onto.data();
  m.columns = N;
  m.last = (total + 3) / 4;
  table.multiply(m);
}

// The mean of -log softmax(scores)[target] over rows, weighted if there are weights, and its gradient; with the least
// number in place of no weight at all, as in losses.py. False, with nothing done, when a target is no class.
template <class T>
bool cross_entropy(const Table<T>& table, int64_t rows, int64_t classes, const T* scores, const int64_t* targets,
                   const T* weights, T* by_scores, double* loss) {
  double mass = 0;
  for (int64_t r = 0; r < rows; ++r) {
    if (targets[r] < 0 || targets[r] >= classes) return false;
    mass += weights ? double(weights[r]) : 1.0;
  }
  constexpr double least = std::numeric_limits<T>::min();
  if (mass < least) mass = least;  // NaN stays NaN
  *loss = 0;
  std::copy_n(scores, rows * classes, by_scores);
  softmax<T>(table, by_scores, rows, classes);
  for (int64_t r = 0; r < rows; ++r, scores += classes, by_scores += classes) {
    const double share = (weights ? double(weights[r]) : 1.0) / mass;
    const int64_t target = targets[r];
    // softmax = e^(x - top) / sum, so -log of it is log(sum) - (x - top); the largest entry is 1 / sum
    const T top = *std::max_element(scores, scores + classes), largest = *std::max_element(by_scores, by_scores + classes);
    *loss += share * (-std::log(double(largest)) - (double(scores[target]) - double(top)));
    by_scores[target] -= T(1);
    for (int64_t c = 0; c < classes; ++c) by_scores[c] *= T(share);
  }
  return true;
}

}  // namespace

template <class T>
void head_scores(const Table<T>& table, const HeadSizes& s, const T* states, const T* weight, const T* bias, T* features,
                 T* scores) {
  for (int64_t d = 0; d < s.D; ++d)
    for (int64_t b = 0; b < s.B; ++b) std::copy_n(states + (d * s.B + b) * s.P, s.P, features + b * s.F() + d * s.P);
  LinearHead<T>(table, weight, bias, s.C, s.F()).apply(features, s.B, scores);
}

template <class T>
void head_gradients(const Table<T>& table, const HeadSizes& s, const T* by_scores, const T* features, const T* weight,
                    T* by_weight, T* by_bias, T* by_states) {
  std::vector<T> turned(static_cast<size_t>(s.C * s.B)), by_features(static_cast<size_t>(s.B * s.F()));
  for (int64_t c = 0; c < s.C; ++c) {
    T sum = 0;
    for (int64_t b = 0; b < s.B; ++b) sum += turned[size_t(c * s.B + b)] = by_scores[b * s.C + c];
    by_bias[c] = sum;
  }
  product(table, s.C, s.B, s.F(), turned.data(), features, by_weight);
  product(table, s.B, s.C, s.F(), by_scores, weight, by_features.data());
  for (int64_t d = 0; d < s.D; ++d)
    for (int64_t b = 0; b < s.B; ++b)
      std::copy_n(by_features.data() + b * s.F() + d * s.P, s.P, by_states + (d * s.B + b) * s.P);
}

template <class T>
bool head_in_one(const Table<T>& table, const HeadSizes& s, const T* states, const T* weight, const T* bias,
                 const int64_t* targets, const T* weights, T* scores, T* by_weight, T* by_bias, T* by_states,
                 double* loss) {
  std::vector<T> features(static_cast<size_t>(s.B * s.F())), by_scores(static_cast<size_t>(s.B * s.C));
  head_scores(table, s, states, weight, bias, features.data(), scores);
  if (!cross_entropy(table, s.B, s.C, scores, targets, weights, by_scores.data(), loss)) return false;
  head_gradients(table, s, by_scores.data(), features.data(), weight, by_weight, by_bias, by_states);
  return true;
}

#define RECURRA_INSTANCES(T)                                                                                              \
  template void head_scores<T>(const Table<T>&, const HeadSizes&, const T*, const T*, const T*, T*, T*);               \
  template void head_gradients<T>(const Table<T>&, const HeadSizes&, const T*, const T*, const T*, T*, T*, T*);        \
  template bool head_in_one<T>(const Table<T>&, const HeadSizes&, const T*, const T*, const T*, const int64_t*,        \
                               const T*, T*, T*, T*, T*, double*);
RECURRA_INSTANCES(float)
RECURRA_INSTANCES(double)

}  // namespace recurra
