#include "heads.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace recurra {

template <class T>
LinearHead<T>::LinearHead(const Table<T>& table, const T* weight, const T* bias, int64_t o, int64_t k)
    : outputs(o), features(k), table_(table) {
  const int64_t w = table.lanes, vectors = (o + w - 1) / w;
  T* data = static_cast<T*>(memory_.reserve(size_t((k + 1) * vectors * w + 64) * sizeof(T)));
  for (int64_t v = 0; v < vectors; ++v) {
    const int64_t panel = v / 4, width = std::min<int64_t>(4, vectors - panel * 4);
    T* dst = data + panel * 4 * w * k + (v - panel * 4) * w;
    pack_vector(table, weight + v * w * k, std::min(w, o - v * w), k, dst, width * w);
  }
  T* sums = data + k * vectors * w;
  std::fill(sums, sums + vectors * w, T(0));
  if (bias) std::copy_n(bias, o, sums);
  panels_ = Panels<T>{data, k, 4, vectors, {1, {{0, k}}}};
  bias_ = sums;
}

template <class T> void LinearHead<T>::apply(const T* x, int64_t rows, T* y) const {
  constexpr int64_t AT_ONCE = 96;
  const T* a[AT_ONCE];
  T* c[AT_ONCE];
  for (int64_t row = 0; row < rows; row += AT_ONCE) {
    const int64_t n = std::min(AT_ONCE, rows - row);
    for (int64_t j = 0; j < n; ++j) {
      a[j] = x + (row + j) * features;
      c[j] = y + (row + j) * outputs;
    }
    Multiply<T> m{};
    m.rows = n;
    m.a = a;
    m.b = &panels_;
    m.bias = bias_;
    m.c = c;
    m.columns = outputs;
    m.last = (panels_.total + 3) / 4;
    table_.multiply(m);
  }
}

template <class T> void softmax(const Table<T>& table, T* x, int64_t rows, int64_t classes) {
  for (int64_t row = 0; row < rows; ++row, x += classes) {
    T top = -std::numeric_limits<T>::infinity();
    for (int64_t j = 0; j < classes; ++j) top = x[j] > top || x[j] != x[j] ? x[j] : top;
    for (int64_t j = 0; j < classes; ++j) x[j] -= top;
    table.exp_rows(x, classes);
    T sum = 0;
    for (int64_t j = 0; j < classes; ++j) sum += x[j];
    for (int64_t j = 0; j < classes; ++j) x[j] /= sum;
  }
}

namespace {

template <class T>
void attend(const Table<T>& table, const Attention<T>& attention, const T* values, int64_t steps, int64_t step,
            int64_t features, const PoolState<T>& state) {
  constexpr int64_t AT_ONCE = 48;
  const int64_t A = attention.score->outputs;
  std::vector<T> rows(static_cast<size_t>(AT_ONCE * features)), hidden(static_cast<size_t>(AT_ONCE * A));
  T score[AT_ONCE];
  for (int64_t first = 0; first < steps; first += AT_ONCE) {
    const int64_t n = std::min(AT_ONCE, steps - first);
    for (int64_t j = 0; j < n; ++j) std::copy_n(values + (first + j) * step, features, &rows[size_t(j * features)]);
    attention.score->apply(rows.data(), n, hidden.data());
    table.tanh_rows(hidden.data(), n * A);
    attention.context->apply(hidden.data(), n, score);
    for (int64_t j = 0; j < n; ++j) {
      const T top = std::max(*state.top, score[j]);
      T change[2] = {*state.top - top, score[j] - top};
      table.exp_rows(change, 2);
      const T keep = *state.count ? change[0] : T(0), add = change[1];
      *state.mass = *state.mass * keep + add;
      const T* row = &rows[size_t(j * features)];
      for (int64_t k = 0; k < features; ++k) state.total[k] = state.total[k] * keep + add * row[k];
      *state.top = top;
      ++*state.count;
    }
  }
}

}  // namespace

template <class T>
void pool(const Table<T>& table, Pooling pooling, const Attention<T>& attention, const T* values, int64_t steps,
          int64_t step, int64_t features, const PoolState<T>& state) {
  if (steps == 0) return;
  if (pooling == Pooling::attention) {
    attend(table, attention, values, steps, step, features, state);
    return;
  }
  if (pooling == Pooling::last) std::copy_n(values + (steps - 1) * step, features, state.total);
  for (int64_t t = 0; t < steps && pooling != Pooling::last; ++t) {
    const T* row = values + t * step;
    const bool fresh = *state.count == 0 && t == 0;
    if (pooling == Pooling::mean) {
      for (int64_t k = 0; k < features; ++k) state.total[k] += row[k];
    } else if (fresh) {
      std::copy_n(row, features, state.total);
    } else {
      // a NaN wins, as in numpy's maximum
      for (int64_t k = 0; k < features; ++k)
        state.total[k] = row[k] > state.total[k] || row[k] != row[k] ? row[k] : state.total[k];
    }
  }
  *state.count += steps;
}

template class LinearHead<float>;
template class LinearHead<double>;
template void softmax<float>(const Table<float>&, float*, int64_t, int64_t);
template void softmax<double>(const Table<double>&, double*, int64_t, int64_t);
template void pool<float>(const Table<float>&, Pooling, const Attention<float>&, const float*, int64_t, int64_t, int64_t,
                          const PoolState<float>&);
template void pool<double>(const Table<double>&, Pooling, const Attention<double>&, const double*, int64_t, int64_t,
                           int64_t, const PoolState<double>&);

}  // namespace recurra
