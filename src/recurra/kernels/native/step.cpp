#include "step.hpp"

#include <algorithm>
#include <cstring>

namespace recurra {

template <class T>
Step<T>::Step(std::vector<const Weights<T>*> layers, int64_t batch, T* h, T* c)
    : layers_(std::move(layers)),
      batch_(batch),
      x_rows_(size_t(batch)),
      h_rows_(size_t(batch)),
      c_rows_(size_t(batch)),
      c_out_(size_t(batch)),
      out_(size_t(batch)),
      m_(size_t(batch)) {
  int64_t widest = 0, numbers = 0;
  for (const Weights<T>* layer : layers_) {
    const Sizes& s = layer->sizes;
    h_.push_back(h);
    c_.push_back(c);
    h += batch * s.P;
    if (s.traits.cell_state) c += batch * s.padded;
    widest = std::max(widest, s.P + s.padded);
    numbers = std::max(numbers, VariantCell<T>::numbers(s, batch));
  }
  T* scratch = static_cast<T*>(scratch_.reserve(size_t(numbers + 64) * sizeof(T)));
  for (const Weights<T>* layer : layers_) variants_.emplace_back(*layer, batch, scratch);
  next_.reserve(size_t(batch * widest) * sizeof(T));
}

template <class T> const T* Step<T>::step(const T* x) noexcept {
  FlushDenormals flush;
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const Weights<T>& weights = *layers_[layer];
    const Sizes& s = weights.sizes;
    T* next = next_.as<T>();
    T* m = next + batch_ * s.P;
    for (int64_t b = 0; b < batch_; ++b) {
      const size_t j = size_t(b);
      x_rows_[j] = x + b * s.I;
      h_rows_[j] = h_[layer] + b * s.P;
      out_[j] = next + b * s.P;
      m_[j] = m + b * s.padded;
      if (s.traits.cell_state) c_rows_[j] = c_out_[j] = c_[layer] + b * s.padded;
    }
    Forward<T> f{};
    f.rows = batch_;
    f.x = x_rows_.data();
    f.h = h_rows_.data();
    f.c_prev = c_rows_.data();
    f.c = c_out_.data();
    f.out = s.projected ? m_.data() : out_.data();
    f.w_ih = &weights.ih;
    f.w_hh = &weights.hh;
    f.bias = weights.bias;
    f.bias_n = weights.bias_n;
    f.hidden = s.H;
    f.relu = s.traits.relu;
    f.last = (weights.hh.total + weights.hh.vectors - 1) / weights.hh.vectors;
    const Table<T>& table = weights.table;
    if (s.variant.any)
      variants_[layer].step(f);
    else
      table.forward[int(s.cell)](f);
    if (s.projected) {
      Multiply<T> project{};
      project.rows = batch_;
      project.a = m_.data();
      project.b = &weights.hr;
      project.c = out_.data();
      project.columns = s.P;
      project.last = (weights.hr.total + 3) / 4;
      table.multiply(project);
    }
    std::memcpy(h_[layer], next, size_t(batch_ * s.P) * sizeof(T));
    x = h_[layer];
  }
  return x;
}

template class Step<float>;
template class Step<double>;

}  // namespace recurra
