// One time step of a variant for some rows: the products, then what is done to them element by element (variants.cpp).
#pragma once

#include <vector>

#include "recurrence.hpp"

namespace recurra {

// Weights of a variant as its element-wise functions take them.
template <class T, class Step> void set_weights(const Weights<T>& weights, Step& s) {
  s.variant = weights.sizes.variant;
  s.hidden = weights.sizes.H;
  s.bias = weights.bias;
  s.bias_n = weights.bias_n;
  s.peephole = weights.peephole;
  s.gain_ih = weights.gain_ih;
  s.gain_hh = weights.gain_hh;
  s.gain_c = weights.gain_c;
  s.bias_c = weights.bias_c;
}

template <class T> int64_t panels_of(const Panels<T>& b) { return (b.total + b.vectors - 1) / b.vectors; }

// c = a * b + bias, or c += a * b with `onto`, over all panels.
template <class T>
void multiply_all(const Weights<T>& weights, int64_t rows, const T* const* a, const Panels<T>& b, const T* bias, T* const* c,
                  int64_t columns, bool onto = false) {
  Multiply<T> m{};
  m.rows = rows;
  m.a = a;
  m.b = &b;
  m.bias = bias;
  m.onto = onto;
  m.c = c;
  m.columns = columns;
  m.last = panels_of(b);
  weights.table.multiply(m);
}

template <class T> class VariantCell {
 public:
  // Numbers of `scratch` for so many rows.
  static int64_t numbers(const Sizes& s, int64_t rows) {
    return s.variant.any ? rows * (2 * s.gates + 2) * s.padded : 0;
  }
  VariantCell(const Weights<T>& weights, int64_t rows, T* scratch);
  // f.x or f.pre as for the plain cells; f.pre is overwritten.
  void step(const Forward<T>& f) noexcept;

 private:
  const Weights<T>& weights_;
  std::vector<T*> a_, u_, q_, reset_, saved_reset_;
};

}  // namespace recurra
