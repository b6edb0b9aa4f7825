// The Python module: pointers in, nothing copied, the interpreter's lock released while the kernels run.
//
// An array argument is an integer (the address, as torch's data_ptr gives it), an object with the buffer protocol, or
// None. Shapes, types and strides have been checked in Python; this file trusts them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "heads.hpp"
#include "optimizer.hpp"
#include "pool.hpp"
#include "recurrence.hpp"
#include "running.hpp"
#include "step.hpp"

namespace nb = nanobind;
using namespace recurra;

namespace {

const Isa& isa() {
  static const char* why = "";
  static const Isa* chosen = choose_isa(&why);
  if (!chosen)
    throw nb::import_error((std::string("RECURRA_ISA names '") + std::getenv("RECURRA_ISA") +
                            "', which is not there; this machine has: " + available_isas())
                               .c_str());
  return *chosen;
}

template <class T> const Table<T>& table();
template <> const Table<float>& table<float>() { return *isa().f; }
template <> const Table<double>& table<double>() { return *isa().d; }

// The address behind an argument; keeps a buffer open while it lives.
class Address {
 public:
  Address(nb::handle object, bool writable = false) {
    PyObject* o = object.ptr();
    if (o == Py_None) return;
    if (PyLong_Check(o)) {
      data_ = PyLong_AsVoidPtr(o);
      return;
    }
    if (PyObject_GetBuffer(o, &view_, writable ? PyBUF_WRITABLE | PyBUF_STRIDES : PyBUF_STRIDES) != 0)
      throw nb::python_error();
    held_ = true;
    data_ = view_.buf;
  }
  ~Address() {
    if (held_) PyBuffer_Release(&view_);
  }
  Address(const Address&) = delete;
  Address& operator=(const Address&) = delete;
  template <class T> operator T*() const { return static_cast<T*>(data_); }

 private:
  Py_buffer view_;
  bool held_ = false;
  void* data_ = nullptr;
};

struct PyWeights {
  std::unique_ptr<Weights<float>> f;
  std::unique_ptr<Weights<double>> d;
  explicit PyWeights(std::unique_ptr<Weights<float>> w) : f(std::move(w)) {}
  explicit PyWeights(std::unique_ptr<Weights<double>> w) : d(std::move(w)) {}
  const Sizes& sizes() const { return f ? f->sizes : d->sizes; }
  template <class T> const Weights<T>* get() const;
};
template <> const Weights<float>* PyWeights::get<float>() const { return f.get(); }
template <> const Weights<double>* PyWeights::get<double>() const { return d.get(); }

// From what Variant.numbers() of ../cell.py gives, or None.
Variant variant_of(nb::handle numbers) {
  Variant v;
  if (numbers.is_none()) return v;
  const auto n = nb::cast<std::vector<double>>(numbers);
  if (n.size() != 6) throw std::invalid_argument("pack: six numbers of a variant");
  v.any = true;
  v.peephole = n[0] != 0;
  v.norm = n[1] != 0;
  v.before = n[2] != 0;
  v.slope = n[3];
  v.zone_h = n[4];
  v.zone_c = n[5];
  return v;
}

template <class T>
nb::list call_pack(int cell, int64_t I, int64_t H, int64_t P, nb::sequence directions, bool back, int threads,
                   const Variant& variant) {
  std::vector<std::unique_ptr<Address>> held;
  std::vector<Raw<T>> raw;
  std::vector<std::unique_ptr<Weights<T>>> made;
  std::vector<Weights<T>*> weights;
  for (nb::handle one : directions) {
    const size_t at = held.size();
    for (nb::handle array : one) held.push_back(std::make_unique<Address>(array));
    const size_t count = variant.any ? 10 : 5;
    if (held.size() != at + count) throw std::invalid_argument("pack: number of arrays of a direction");
    raw.push_back(Raw<T>{*held[at], *held[at + 1], *held[at + 2], *held[at + 3], *held[at + 4]});
    if (variant.any) {
      const T** extras[5] = {&raw.back().peephole, &raw.back().gain_ih, &raw.back().gain_hh, &raw.back().gain_c, &raw.back().bias_c};
      for (size_t k = 0; k < 5; ++k) *extras[k] = *held[at + 5 + k];
    }
    const Sizes sizes = make_sizes(Cell(cell), I, H, P, raw.back().weight_hr != nullptr, table<T>().lanes, variant);
    made.push_back(std::make_unique<Weights<T>>(table<T>(), sizes, back));
    weights.push_back(made.back().get());
  }
  {
    nb::gil_scoped_release nogil;
    pack<T>(weights.data(), raw.data(), int64_t(weights.size()), threads);
  }
  nb::list packed;
  for (auto& one : made) packed.append(nb::cast(new PyWeights(std::move(one)), nb::rv_policy::take_ownership));
  return packed;
}

nb::list py_pack(int cell, bool is_double, int64_t I, int64_t H, int64_t P, nb::sequence directions, bool back,
                 int threads, nb::handle numbers) {
  const Variant variant = variant_of(numbers);
  return is_double ? call_pack<double>(cell, I, H, P, directions, back, threads, variant)
                   : call_pack<float>(cell, I, H, P, directions, back, threads, variant);
}

// Activated gates (with normalization: see variant_units.hpp) and cell states of every sample, one block of memory for each
// direction.
struct PySaved {
  Sizes sizes;
  int64_t total;
  size_t item;
  Memory memory[2];
  bool spent = false;
  PySaved(const PyWeights& w, int64_t total_steps, int64_t directions)
      : sizes(w.sizes()), total(total_steps), item(w.d ? 8 : 4) {
    const int64_t cells = sizes.traits.cell_state ? sizes.padded : 0;
    const int64_t gates = sizes.gates > 1 ? sizes.saved : 0;
    for (int64_t d = 0; d < directions; ++d) memory[d].reserve(size_t(total * (gates + cells) + 64) * item);
  }
  size_t bytes() const { return memory[0].bytes() + memory[1].bytes(); }
  template <class T> Saved<T> get(int64_t d) const {
    T* gates = sizes.gates > 1 ? memory[d].as<T>() : nullptr;
    T* cells = sizes.traits.cell_state ? gates + total * sizes.saved : nullptr;
    return {gates, cells};
  }
  // Gates in torch's order, and behind them the state's product of the candidate, of H numbers each.
  int64_t width() const { return sizes.gates > 1 ? sizes.traits.saved() : 0; }
  template <class T> void copy_gates(int64_t d, T* to) const {
    const Saved<T> s = get<T>(d);
    const int64_t w = sizes.w, H = sizes.H, together = sizes.traits.together, width = this->width();
    for (int64_t row = 0; row < total; ++row, to += width * H) {
      const T* from = s.gates + row * sizes.saved;
      for (int64_t unit = 0; unit < H; ++unit) {
        const int64_t block = unit / w, lane = unit % w;
        for (int64_t g = 0; g < width; ++g)
          to[g * H + unit] = g < together    ? from[(block * together + g) * w + lane]
                             : g == together ? from[(together + 1) * sizes.padded + unit]
                                             : from[together * sizes.padded + unit];
      }
    }
  }
  template <class T> void copy_cells(int64_t d, T* to) const {
    const Saved<T> s = get<T>(d);
    for (int64_t row = 0; row < total; ++row) std::copy_n(s.cells + row * sizes.padded, sizes.H, to + row * sizes.H);
  }
};

struct Arguments {
  std::vector<const PyWeights*> weights;
  Address lengths, x, x_start, out, out_start, h_0, c_0;
  std::vector<std::unique_ptr<Address>> masks;  // drop, zone, zone_start, or none
  int64_t size, x_step, out_step, zone_step = 0;
  bool reverse;
  std::vector<int64_t> x_follows, out_follows;  // where no start is given: one sequence after the other
  Arguments(nb::sequence w, int64_t n, nb::handle lengths_, nb::handle x_, nb::handle x_start_, int64_t x_step_,
            nb::handle out_, nb::handle out_start_, int64_t out_step_, nb::handle h_0_, nb::handle c_0_, bool reverse_,
            nb::handle masks_)
      : lengths(lengths_), x(x_), x_start(x_start_), out(out_), out_start(out_start_), h_0(h_0_), c_0(c_0_), size(n),
        x_step(x_step_), out_step(out_step_), reverse(reverse_) {
    for (nb::handle one : w) weights.push_back(nb::cast<const PyWeights*>(one));
    if (x_start_.is_none()) follow(x_follows, x_step);
    if (out_start_.is_none()) follow(out_follows, out_step);
    if (masks_.is_none()) return;
    const auto given = nb::cast<nb::sequence>(masks_);
    for (size_t k = 0; k < 3; ++k) masks.push_back(std::make_unique<Address>(given[k]));
    zone_step = nb::cast<int64_t>(given[3]);
  }
  void follow(std::vector<int64_t>& starts, int64_t step) const {
    const int64_t* steps = lengths;
    starts.resize(size_t(size));
    for (int64_t b = 1; b < size; ++b) starts[size_t(b)] = starts[size_t(b - 1)] + steps[b - 1] * step;
  }
  template <class T> Batch<T> batch() const {
    const int64_t *x_at = x_start, *out_at = out_start;
    if (!x_at) x_at = x_follows.data();
    if (!out_at) out_at = out_follows.data();
    Batch<T> b{size, lengths, int64_t(weights.size()), reverse, x, x_at, x_step, out, out_at, out_step,
               h_0, c_0, nullptr, nullptr, nullptr, zone_step};
    if (masks.empty()) return b;
    b.drop = *masks[0];
    b.zone = *masks[1];
    b.zone_start = *masks[2];
    return b;
  }
};

template <class T>
void call_forward(const Arguments& a, T* h_n, T* c_n, const PySaved* saved, int threads, int mode) {
  const Weights<T>* w[2] = {a.weights[0]->get<T>(), a.weights.back()->get<T>()};
  const Batch<T> batch = a.batch<T>();
  Saved<T> s[2];
  if (saved)
    for (int64_t d = 0; d < batch.directions; ++d) s[d] = saved->get<T>(d);
  nb::gil_scoped_release nogil;
  forward<T>(w, batch, h_n, c_n, saved ? s : nullptr, threads, mode);
}

void py_forward(nb::sequence weights, int64_t size, nb::handle lengths, nb::handle x, nb::handle x_start, int64_t x_step,
                nb::handle out, nb::handle out_start, int64_t out_step, nb::handle h_0, nb::handle c_0, bool reverse,
                nb::handle h_n, nb::handle c_n, PySaved* saved, int threads, int mode, nb::handle masks) {
  Arguments a(weights, size, lengths, x, x_start, x_step, out, out_start, out_step, h_0, c_0, reverse, masks);
  Address h(h_n, true), c(c_n, true);
  if (a.weights[0]->d)
    call_forward<double>(a, h, c, saved, threads, mode);
  else
    call_forward<float>(a, h, c, saved, threads, mode);
}

void py_clear_ends(bool is_double, nb::handle rows, nb::handle start, int64_t step, nb::handle lengths, int64_t size,
                   int64_t time, int64_t width, int threads) {
  Address at(rows, true), s(start), l(lengths);
  nb::gil_scoped_release nogil;
  if (is_double)
    clear_ends<double>(at, s, step, l, size, time, width, threads);
  else
    clear_ends<float>(at, s, step, l, size, time, width, threads);
}

template <class T>
void call_backward(const Arguments& a, PySaved* saved, const std::vector<std::unique_ptr<Address>>& given,
                   const std::vector<std::unique_ptr<Address>>& wanted, int threads, int mode) {
  const Weights<T>* w[2] = {a.weights[0]->get<T>(), a.weights.back()->get<T>()};
  const Batch<T> batch = a.batch<T>();
  Saved<T> s[2];
  if (saved)
    for (int64_t d = 0; d < batch.directions; ++d) s[d] = saved->get<T>(d);
  Gradients<T> g{};
  g.out = *given[0];
  g.h_n = *given[1];
  g.c_n = *given[2];
  g.x = *wanted[0];
  g.h_0 = *wanted[1];
  g.c_0 = *wanted[2];
  for (int64_t d = 0; d < batch.directions; ++d) {
    const bool variant = w[0]->sizes.variant.any;
    const size_t at = size_t(3 + d * (variant ? 11 : 6));
    g.weight_ih[d] = *wanted[at];
    g.weight_hh[d] = *wanted[at + 1];
    g.bias_ih[d] = *wanted[at + 2];
    g.bias_hh[d] = *wanted[at + 3];
    g.weight_hr[d] = *wanted[at + 4];
    g.hidden[d] = *wanted[at + 5];
    if (!variant) continue;
    g.peephole[d] = *wanted[at + 6];
    g.gain_ih[d] = *wanted[at + 7];
    g.gain_hh[d] = *wanted[at + 8];
    g.gain_c[d] = *wanted[at + 9];
    g.bias_c[d] = *wanted[at + 10];
  }
  nb::gil_scoped_release nogil;
  backward<T>(w, batch, saved ? s : nullptr, g, threads, mode);
}

void py_backward(nb::sequence weights, int64_t size, nb::handle lengths, nb::handle x, nb::handle x_start,
                 int64_t x_step, nb::handle out, nb::handle out_start, int64_t out_step, nb::handle h_0, nb::handle c_0,
                 bool reverse, PySaved* saved, nb::sequence given, nb::sequence wanted, int threads, int mode,
                 nb::handle masks) {
  Arguments a(weights, size, lengths, x, x_start, x_step, out, out_start, out_step, h_0, c_0, reverse, masks);
  std::vector<std::unique_ptr<Address>> from, to;
  for (nb::handle one : given) from.push_back(std::make_unique<Address>(one));
  for (nb::handle one : wanted) to.push_back(std::make_unique<Address>(one, true));
  if (from.size() != 3 || to.size() != 3 + (a.weights[0]->sizes().variant.any ? 11 : 6) * a.weights.size()) throw std::invalid_argument("backward: list sizes");
  if (saved) saved->spent = true;
  if (a.weights[0]->d)
    call_backward<double>(a, saved, from, to, threads, mode);
  else
    call_backward<float>(a, saved, from, to, threads, mode);
}

// step(x) with numpy in and out. The array given back is the same each time: it shows the last layer's state.
struct PyStep {
  std::unique_ptr<Step<float>> f;
  std::unique_ptr<Step<double>> d;
  nb::object keep, result;
  PyStep(nb::list layers, int64_t batch, nb::handle h, nb::handle c, nb::object out) : keep(layers), result(out) {
    Address hp(h, true), cp(c, true);
    if (nb::cast<const PyWeights*>(layers[0])->d) {
      std::vector<const Weights<double>*> all;
      for (nb::handle one : layers) all.push_back(nb::cast<const PyWeights*>(one)->d.get());
      d = std::make_unique<Step<double>>(std::move(all), batch, hp, cp);
    } else {
      std::vector<const Weights<float>*> all;
      for (nb::handle one : layers) all.push_back(nb::cast<const PyWeights*>(one)->f.get());
      f = std::make_unique<Step<float>>(std::move(all), batch, hp, cp);
    }
  }
  // None when x is not a contiguous array of the right type and size: the caller then converts or complains.
  nb::object step(nb::handle x) {
    Py_buffer view;
    if (PyObject_GetBuffer(x.ptr(), &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
      PyErr_Clear();
      return nb::none();
    }
    const int64_t wanted = f ? f->input_numbers() * 4 : d->input_numbers() * 8;
    const bool fits = view.len == wanted && view.format && view.format[0] == (f ? 'f' : 'd') && !view.format[1];
    if (fits) {
      if (f)
        f->step(static_cast<const float*>(view.buf));
      else
        d->step(static_cast<const double*>(view.buf));
    }
    PyBuffer_Release(&view);
    return fits ? result : nb::none();
  }
};

struct PyLinear {
  std::unique_ptr<LinearHead<float>> f;
  std::unique_ptr<LinearHead<double>> d;
  PyLinear(bool is_double, nb::handle weight, nb::handle bias, int64_t outputs, int64_t features) {
    Address w(weight), b(bias);
    if (is_double)
      d = std::make_unique<LinearHead<double>>(table<double>(), w, b, outputs, features);
    else
      f = std::make_unique<LinearHead<float>>(table<float>(), w, b, outputs, features);
  }
  void apply(nb::handle x, int64_t rows, nb::handle y) {
    Address from(x), to(y, true);
    nb::gil_scoped_release nogil;
    FlushDenormals flush;
    if (d)
      d->apply(from, rows, to);
    else
      f->apply(from, rows, to);
  }
};

// `at`: addresses of the weights of every array, then of the gradients, running means and means of squares.
void py_adam(bool is_double, const std::vector<int64_t>& at, const std::vector<int64_t>& sizes,
             const std::vector<double>& n, int threads) {
  if (at.size() != 4 * sizes.size() || n.size() != 9) throw std::invalid_argument("adam: four addresses an array, nine numbers");
  nb::gil_scoped_release nogil;
  if (is_double) {
    adam_all<double>(table<double>(), at, sizes, {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]}, threads);
  } else {
    float f[9];
    std::copy_n(n.data(), 9, f);
    adam_all<float>(table<float>(), at, sizes, {f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8]}, threads);
  }
}

double py_norm(bool is_double, const std::vector<int64_t>& at, const std::vector<int64_t>& sizes, int threads) {
  if (at.size() != sizes.size()) throw std::invalid_argument("norm: an address an array");
  nb::gil_scoped_release nogil;
  return is_double ? norm_of_all<double>(table<double>(), at, sizes, threads)
                   : norm_of_all<float>(table<float>(), at, sizes, threads);
}

template <class T>
LinearCrossEntropy<T> cross_entropy_of(const std::vector<int64_t>& sizes, const std::vector<int64_t>& at) {
  auto array = [&](size_t k) { return reinterpret_cast<T*>(at[k]); };
  const auto* targets = reinterpret_cast<const int64_t*>(at[3]);
  return {sizes[0], sizes[1], sizes[2], sizes[3], array(0), array(1), array(2), targets, array(4), array(5), array(6)};
}

void check_cross_entropy(const std::vector<int64_t>& sizes, const std::vector<int64_t>& at) {
  if (sizes.size() != 4 || at.size() != 7) throw std::invalid_argument("linear_cross_entropy: four sizes, seven addresses");
  const auto* targets = reinterpret_cast<const int64_t*>(at[3]);
  for (int64_t r = 0; r < sizes[1]; ++r)
    if (targets[r] < 0 || targets[r] >= sizes[3])
      throw std::out_of_range("linear_cross_entropy: a target must be in [0, " + std::to_string(sizes[3]) + "); got " +
                              std::to_string(targets[r]));
}

// `sizes`: parts, rows, size, classes. `at`: addresses of seen, weight, bias, targets, row weights, logits, slopes; 0 for none.
double py_linear_cross_entropy(bool is_double, const std::vector<int64_t>& sizes, const std::vector<int64_t>& at) {
  check_cross_entropy(sizes, at);
  nb::gil_scoped_release nogil;
  FlushDenormals flush;
  return is_double ? table<double>().linear_cross_entropy(cross_entropy_of<double>(sizes, at))
                   : table<float>().linear_cross_entropy(cross_entropy_of<float>(sizes, at));
}

void py_linear_gradients(bool is_double, const std::vector<int64_t>& sizes, const std::vector<int64_t>& at, double factor,
                         nb::handle by_seen, nb::handle by_weight, nb::handle by_bias) {
  check_cross_entropy(sizes, at);
  Address seen(by_seen, true), weight(by_weight, true), bias(by_bias, true);
  nb::gil_scoped_release nogil;
  FlushDenormals flush;
  if (is_double)
    table<double>().linear_gradients(cross_entropy_of<double>(sizes, at), factor, seen, weight, bias);
  else
    table<float>().linear_gradients(cross_entropy_of<float>(sizes, at), float(factor), seen, weight, bias);
}

void py_shares_above(nb::handle columns, int64_t steps, int64_t dilation, int64_t n_channels, nb::handle channels,
                     int64_t width, nb::handle limits, int64_t n_limits, nb::handle out) {
  Address own(columns), seen(channels), at(limits), found(out, true);
  nb::gil_scoped_release nogil;
  FlushDenormals flush;
  const int64_t reach = 4 * dilation;
  std::vector<float> work(size_t(3 * steps + 2 * reach));
  table<float>().shares_above({steps, reach, dilation, n_channels, width, own, seen, n_limits, at, work.data(), found});
}

void py_nearest_windows(nb::handle columns, int64_t steps, int64_t dilation, int64_t taps, int64_t n_channels,
                        int64_t width, bool normalized, int64_t n_shapelets, nb::handle channels, nb::handle values,
                        nb::handle limits, nb::handle least, nb::handle nearest, nb::handle within) {
  Address x(columns), seen(channels), own(values), at(limits), low(least, true), where(nearest, true), count(within, true);
  nb::gil_scoped_release nogil;
  std::vector<float> work(size_t((n_channels * taps + 1) * SHAPELET_TILE));
  std::vector<double> moments(size_t(2 * SHAPELET_TILE));
  table<float>().nearest_windows({steps, dilation, taps, n_channels, width, normalized, x, n_shapelets, seen, own, at,
                                  work.data(), moments.data(), low, where, count});
}

void py_softmax(bool is_double, nb::handle x, int64_t rows, int64_t classes) {
  Address data(x, true);
  nb::gil_scoped_release nogil;
  FlushDenormals flush;
  if (is_double)
    softmax<double>(table<double>(), data, rows, classes);
  else
    softmax<float>(table<float>(), data, rows, classes);
}

template <class T>
void call_pool(int kind, const LinearHead<T>* score, const LinearHead<T>* context, const T* values,
               const int64_t* lengths, int64_t batch, int64_t features, T* total, T* top, T* mass, int64_t* count) {
  nb::gil_scoped_release nogil;
  FlushDenormals flush;
  for (int64_t b = 0; b < batch; ++b) {
    pool<T>(table<T>(), Pooling(kind), Attention<T>{score, context}, values, lengths[b], features, features,
            PoolState<T>{total + b * features, top + b, mass + b, count + b});
    values += lengths[b] * features;
  }
}

// Takes lengths[b] rows of each sequence into its running state.
void py_pool(int kind, bool is_double, PyLinear* score, PyLinear* context, nb::handle values, nb::handle lengths,
             int64_t batch, int64_t features, nb::handle total, nb::handle top, nb::handle mass, nb::handle count) {
  Address v(values), l(lengths), t(total, true), p(top, true), m(mass, true), c(count, true);
  if (is_double)
    call_pool<double>(kind, score ? score->d.get() : nullptr, context ? context->d.get() : nullptr, v, l, batch,
                      features, t, p, m, c);
  else
    call_pool<float>(kind, score ? score->f.get() : nullptr, context ? context->f.get() : nullptr, v, l, batch, features,
                     t, p, m, c);
}

// A whole network of one stream: step(row, outputs, probabilities). Keeps everything it was given.
struct PyRunning {
  nb::object keep;
  std::unique_ptr<Running> running;
  int64_t channels;
  PyRunning(nb::object keep_, PyStep& stack, PyLinear& head, int64_t channels_, nb::handle center, nb::handle spread,
            int kind, PyLinear* score, PyLinear* context, nb::handle total, nb::handle top, nb::handle mass,
            nb::handle count)
      : keep(keep_), channels(channels_) {
    if (!stack.f || !head.f || stack.f->input_numbers() != channels) throw std::invalid_argument("Running: sizes");
    Address at(center), by(spread), t(total, true), p(top, true), m(mass, true), c(count, true);
    const size_t features = size_t(head.f->features);
    running.reset(new Running{table<float>(), *stack.f, *head.f, at, by, kind >= 0, Pooling(kind < 0 ? 0 : kind),
                              Attention<float>{score ? score->f.get() : nullptr, context ? context->f.get() : nullptr},
                              PoolState<float>{t, p, m, c}, std::vector<float>(size_t(channels)),
                              std::vector<float>(features)});
  }
  // False, with nothing changed, when the row is no contiguous array of (channels,) floats or doubles, or not finite.
  bool step(nb::handle row, nb::handle outputs, nb::handle probabilities) {
    Py_buffer view;
    if (PyObject_GetBuffer(row.ptr(), &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
      PyErr_Clear();
      return false;
    }
    bool taken = false;
    if (view.ndim == 1 && view.shape[0] == channels && view.format && view.format[0] && !view.format[1]) {
      Address o(outputs, true), p(probabilities, true);
      if (view.format[0] == 'd') taken = running->step(static_cast<const double*>(view.buf), o, p);
      if (view.format[0] == 'f') taken = running->step(static_cast<const float*>(view.buf), o, p);
    }
    PyBuffer_Release(&view);
    return taken;
  }
};

// For the accuracy tests: exp or tanh of every number, in place.
void py_apply(const std::string& name, bool is_double, nb::handle x, int64_t n) {
  Address data(x, true);
  if (is_double)
    (name == "exp" ? table<double>().exp_rows : table<double>().tanh_rows)(data, n);
  else
    (name == "exp" ? table<float>().exp_rows : table<float>().tanh_rows)(data, n);
}

}  // namespace

NB_MODULE(_native, m) {
  nb::set_leak_warnings(false);  // a saved pass held by a graph at exit is no fault
  isa();  // an unknown RECURRA_ISA fails the import, with its message
  m.def("isa", [] { return std::string(isa().name); }, "The instruction set in use.");
  m.def("isas", [] { return std::string(available_isas()); }, "All this machine can run, best first.");
  m.def("thread_pool", [] { return std::string(pool_name()); }, "What the next call runs on: \"openmp\", torch's, or \"own\".");
  nb::class_<PyWeights>(m, "Weights", "Weights of one layer and direction, packed for the kernels.")
      .def_prop_ro("padded", [](const PyWeights& w) { return w.sizes().padded; })
      .def_prop_ro("back", [](const PyWeights& w) { return w.f ? w.f->has_back : w.d->has_back; });
  m.def("pack", &py_pack, nb::arg("cell"), nb::arg("is_double"), nb::arg("input_size"), nb::arg("hidden_size"),
        nb::arg("output_size"), nb::arg("directions"), nb::arg("back"), nb::arg("threads"), nb::arg("variant") = nb::none(),
        "Weights of the directions of a layer, each given as weight_ih, weight_hh, bias_ih, bias_hh, weight_hr; of a variant\n"
        "also peephole, gain_ih, gain_hh, gain_c, bias_c.");
  nb::class_<PySaved>(m, "Saved", "Gates and cell states of a forward pass.")
      .def(nb::init<const PyWeights&, int64_t, int64_t>())
      .def_ro("spent", &PySaved::spent)
      .def_prop_ro("nbytes", &PySaved::bytes)
      .def_prop_ro("width", &PySaved::width)
      .def("copy_gates",
           [](const PySaved& s, int64_t d, nb::handle to) {
             Address a(to, true);
             if (s.item == 8)
               s.copy_gates<double>(d, a);
             else
               s.copy_gates<float>(d, a);
           })
      .def("copy_cells", [](const PySaved& s, int64_t d, nb::handle to) {
        Address a(to, true);
        if (s.item == 8)
          s.copy_cells<double>(d, a);
        else
          s.copy_cells<float>(d, a);
      });
  m.def("forward", &py_forward, nb::arg("weights"), nb::arg("size"), nb::arg("lengths"), nb::arg("x"),
        nb::arg("x_start").none(), nb::arg("x_step"), nb::arg("out"), nb::arg("out_start").none(), nb::arg("out_step"),
        nb::arg("h_0").none(), nb::arg("c_0").none(), nb::arg("reverse"), nb::arg("h_n").none(), nb::arg("c_n").none(),
        nb::arg("saved").none(), nb::arg("threads"), nb::arg("mode"), nb::arg("masks") = nb::none());
  m.def("clear_ends", &py_clear_ends, nb::arg("is_double"), nb::arg("rows"), nb::arg("start"), nb::arg("step"),
        nb::arg("lengths"), nb::arg("size"), nb::arg("time"), nb::arg("width"), nb::arg("threads"));
  m.def("backward", &py_backward, nb::arg("weights"), nb::arg("size"), nb::arg("lengths"), nb::arg("x"),
        nb::arg("x_start").none(), nb::arg("x_step"), nb::arg("out"), nb::arg("out_start").none(), nb::arg("out_step"),
        nb::arg("h_0").none(), nb::arg("c_0").none(), nb::arg("reverse"), nb::arg("saved").none(), nb::arg("given"),
        nb::arg("wanted"), nb::arg("threads"), nb::arg("mode"), nb::arg("masks") = nb::none());
  nb::class_<PyStep>(m, "Step", "Stacked layers fed one time step at a time.")
      .def(nb::init<nb::list, int64_t, nb::handle, nb::handle, nb::object>(), nb::arg("layers"), nb::arg("batch"),
           nb::arg("h"), nb::arg("c").none(), nb::arg("out"))
      .def("step", &PyStep::step);
  nb::class_<PyLinear>(m, "Linear", "A linear head, packed.")
      .def(nb::init<bool, nb::handle, nb::handle, int64_t, int64_t>(), nb::arg("is_double"), nb::arg("weight"),
           nb::arg("bias").none(), nb::arg("outputs"), nb::arg("features"))
      .def("apply", &PyLinear::apply);
  nb::class_<PyRunning>(m, "Running", "Scaling, stacked layers, pooling, head and softmax of one stream in one call.")
      .def(nb::init<nb::object, PyStep&, PyLinear&, int64_t, nb::handle, nb::handle, int, PyLinear*, PyLinear*,
                    nb::handle, nb::handle, nb::handle, nb::handle>(),
           nb::arg("keep"), nb::arg("stack"), nb::arg("head"), nb::arg("channels"), nb::arg("center").none(),
           nb::arg("spread").none(), nb::arg("kind"), nb::arg("score").none(), nb::arg("context").none(),
           nb::arg("total").none(), nb::arg("top").none(), nb::arg("mass").none(), nb::arg("count").none())
      .def("step", &PyRunning::step, nb::arg("row"), nb::arg("outputs"), nb::arg("probabilities").none());
  m.def("softmax", &py_softmax);
  m.def("shares_above", &py_shares_above, nb::arg("columns"), nb::arg("steps"), nb::arg("dilation"),
        nb::arg("n_channels"), nb::arg("channels"), nb::arg("width"), nb::arg("limits"), nb::arg("n_limits"),
        nb::arg("out"));
  m.def("nearest_windows", &py_nearest_windows, nb::arg("columns"), nb::arg("steps"), nb::arg("dilation"),
        nb::arg("taps"), nb::arg("n_channels"), nb::arg("width"), nb::arg("normalized"), nb::arg("n_shapelets"),
        nb::arg("channels"), nb::arg("values"), nb::arg("limits"), nb::arg("least"), nb::arg("nearest"),
        nb::arg("within"));
  m.def("pool", &py_pool, nb::arg("kind"), nb::arg("is_double"), nb::arg("score").none(), nb::arg("context").none(),
        nb::arg("values"), nb::arg("lengths"), nb::arg("batch"), nb::arg("features"), nb::arg("total"), nb::arg("top"),
        nb::arg("mass"), nb::arg("count"));
  m.def("adam", &py_adam, nb::arg("is_double"), nb::arg("at"), nb::arg("sizes"), nb::arg("numbers"), nb::arg("threads"));
  m.def("norm", &py_norm, nb::arg("is_double"), nb::arg("at"), nb::arg("sizes"), nb::arg("threads"));
  m.def("linear_cross_entropy", &py_linear_cross_entropy, nb::arg("is_double"), nb::arg("sizes"), nb::arg("at"));
  m.def("linear_gradients", &py_linear_gradients, nb::arg("is_double"), nb::arg("sizes"), nb::arg("at"), nb::arg("factor"),
        nb::arg("by_seen").none(), nb::arg("by_weight").none(), nb::arg("by_bias").none());
  m.def("apply", &py_apply);
  // For the benchmarks: operations of one call of peak(rounds).
  m.def("peak", [](int64_t rounds) {
    nb::gil_scoped_release nogil;
    table<float>().peak(rounds);
    return double(rounds) * double(table<float>().rows * 4 * table<float>().lanes * 2);
  });
}
