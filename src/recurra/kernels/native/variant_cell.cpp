#include "variant_cell.hpp"

namespace recurra {

template <class T>
VariantCell<T>::VariantCell(const Weights<T>& weights, int64_t rows, T* scratch) : weights_(weights) {
  const Sizes& s = weights.sizes;
  if (!s.variant.any) return;
  const int64_t width = s.gates * s.padded;
  for (int64_t r = 0; r < rows; ++r) {
    T* row = scratch + r * (2 * width + 2 * s.padded);
    a_.push_back(row);
    u_.push_back(row + width);
    q_.push_back(row + 2 * width);
    reset_.push_back(row + 2 * width + s.padded);
  }
  saved_reset_.resize(a_.size());
}

template <class T> void VariantCell<T>::step(const Forward<T>& f) noexcept {
  const Sizes& s = weights_.sizes;
  const Table<T>& table = weights_.table;
  VariantForward<T> v{};
  set_weights(weights_, v);
  v.rows = f.rows;
  if (f.x) multiply_all(weights_, f.rows, f.x, weights_.ih, s.variant.norm ? nullptr : weights_.bias, a_.data(), s.gates * s.padded);
  // what was projected ahead lies in memory of the caller's own
  v.a = f.x ? a_.data() : const_cast<T* const*>(reinterpret_cast<const T* const*>(f.pre));
  v.u = u_.data();
  v.q = q_.data();
  v.h = f.h;
  v.c_prev = f.c_prev;
  v.c = f.c;
  v.gates = f.gates;
  v.out = f.out;
  v.drop = f.drop;
  v.zone = f.zone;
  multiply_all(weights_, f.rows, f.h, weights_.hh, static_cast<const T*>(nullptr), u_.data(), weights_.hh.total * s.w);
  if (!s.variant.before) {
    table.variant_forward(v, s.cell == Cell::lstm ? VariantPart::lstm : VariantPart::gru);
    return;
  }
  for (int64_t r = 0; r < f.rows; ++r) saved_reset_[size_t(r)] = f.gates ? f.gates[r] + 2 * s.padded : reset_[size_t(r)];
  v.reset = saved_reset_.data();
  table.variant_forward(v, VariantPart::gru_gates);
  multiply_all<T>(weights_, f.rows, saved_reset_.data(), weights_.hn, nullptr, q_.data(), s.padded);
  table.variant_forward(v, VariantPart::gru_candidate);
}

template class VariantCell<float>;
template class VariantCell<double>;

}  // namespace recurra
