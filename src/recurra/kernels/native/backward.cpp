// The backward pass of a layer, in two forks: back through time, then the gradients of weights and input.
//
// Through time, gates become gate gradients in place. The gradients of the weights are then sums over all samples in
// flat order, tile by tile of the result, so that no bit depends on who computes which tile.
#include <algorithm>
#include <array>
#include <cstring>

#include "pool.hpp"
#include "recurrence.hpp"
#include "slots.hpp"
#include "variant_cell.hpp"

namespace recurra {

namespace {

template <class T> struct BackwardCall;

// One direction: where things lie.
template <class T> struct Lane {
  const Weights<T>& weights;
  const Batch<T>& batch;
  const Gradients<T>& g;
  int64_t direction;
  const int64_t* flat;
  T* gates;   // total x sizes.saved
  T* cells;   // total x sizes.padded (LSTM)
  T* hidden;  // total x P, or null
  T* m;       // total x sizes.padded with projection
  T* sums;    // size x sizes.sums, or null

  bool reverse() const { return batch.directions == 2 ? direction == 1 : batch.reverse; }
  int64_t time(int64_t seq, int64_t tau) const { return reverse() ? batch.lengths[seq] - 1 - tau : tau; }
  int64_t row(int64_t seq, int64_t tau) const { return flat[seq] + time(seq, tau); }
  int64_t out_at(int64_t seq, int64_t tau) const {
    return batch.out_start[seq] + time(seq, tau) * batch.out_step + direction * weights.sizes.P;
  }
  int64_t state(int64_t seq) const { return direction * batch.size + seq; }
};

template <class T> void copy_some(const T* from, T* to, int64_t first, int64_t last) {
  if (first < last) std::copy(from + first, from + last, to + first);
}

// What of a step's arguments does not change from step to step.
template <class T> VariantBackward<T> variant_step(const Lane<T>& lane, const Backward<T>& b, const Rows<T>& r, T* work) {
  VariantBackward<T> v{};
  set_weights(lane.weights, v);
  v.dout = b.dout;
  v.dh = b.dh;
  v.dc = b.dc;
  v.gates = b.gates;
  v.c_prev = b.c_prev;
  v.h = b.h;
  v.hidden_out = b.hidden_out;
  v.m_out = b.m_out;
  v.drop = lane.batch.drop ? r.drop.data() : nullptr;
  v.zone = lane.batch.zone ? r.zone.data() : nullptr;
  v.sums = lane.sums ? r.sums.data() : nullptr;
  v.dreset = r.dreset.data();
  v.work = work;
  return v;
}

// A step of a variant, but for the last product.
template <class T> void step_back(const Weights<T>& weights, const VariantBackward<T>& v, Rows<T>& r) {
  const Sizes& s = weights.sizes;
  const Table<T>& table = weights.table;
  if (!s.variant.before) {
    table.variant_backward(v, s.cell == Cell::lstm ? VariantPart::lstm : VariantPart::gru);
    return;
  }
  table.variant_backward(v, VariantPart::gru_candidate);
  const T* const* gates = const_cast<const T* const*>(r.gates.data());
  multiply_all<T>(weights, v.rows, gates, weights.hn_back, nullptr, r.dreset.data(), s.padded);
  table.variant_backward(v, VariantPart::gru_gates);
}

// Steps of the backward pass count down: step j of a slot is tau = length - 1 - j.
template <class T> void run_back(const Lane<T>& lane, Slots slots, const Span& span) {
  const Weights<T>& weights = lane.weights;
  const Sizes& s = weights.sizes;
  const Table<T>& table = weights.table;
  const bool cell_state = s.traits.cell_state;
  const int64_t n = slots.count(), p_width = (s.P + s.w - 1) / s.w * s.w;
  Rows<T> r(n);
  T* dh = r.reserve(n * (p_width + 4 * s.padded) + 7 * s.padded + s.P + 64);
  T* dc = dh + n * p_width;
  T* dm = dc + n * s.padded;
  T* first_c = dm + n * s.padded;
  T* dreset = first_c + n * s.padded;
  T* work = dreset + n * s.padded;
  T* zeros = work + 6 * s.padded;
  std::fill(zeros, zeros + s.padded + s.P, T(0));

  Backward<T> b{};
  const bool apart = s.projected;  // then the derivative by the state is summed before the element-wise part
  b.dout = lane.g.out && !apart ? r.dout.data() : nullptr;
  b.dh = apart ? r.m.data() : r.dh.data();
  b.dc = r.dc.data();
  b.gates = r.gates.data();
  b.c = r.x.data();
  b.c_prev = r.c_prev.data();
  b.h = r.h.data();
  b.hidden_out = lane.hidden && !apart ? r.hidden.data() : nullptr;
  b.m_out = apart ? r.m_out.data() : nullptr;
  b.hidden = s.H;
  b.relu = s.traits.relu;
  b.first = span.unit_first / s.w;
  b.last = std::min(s.blocks, span.unit_last / s.w);
  auto* element_wise = table.backward[int(s.cell)];

  Multiply<T> back{};
  back.a = const_cast<const T* const*>(r.gates.data());
  back.b = &weights.hh_back;
  const bool zoned = lane.batch.zone || s.variant.zone_h != 0 || s.variant.zone_c != 0;
  back.onto = s.traits.blends || zoned;
  back.c = r.dh.data();
  back.columns = p_width;
  back.first = span.panel_first;
  back.last = span.panel_last;

  VariantBackward<T> v = variant_step(lane, b, r, work);

  for (int64_t count = 0; slots.next(); ++count) {
    b.rows = back.rows = int64_t(slots.places().size());
    for (int64_t j = 0; j < b.rows; ++j) {
      const Place& p = slots.places()[size_t(j)];
      const int64_t tau = lane.batch.lengths[p.seq] - 1 - p.tau, row = lane.row(p.seq, tau);
      r.dh[j] = dh + p.slot * p_width;
      r.gates[j] = lane.gates + row * s.saved;
      if (lane.g.out) r.dout[j] = lane.g.out + lane.out_at(p.seq, tau);
      if (lane.hidden) r.hidden[j] = lane.hidden + row * s.P;
      if (p.tau == 0) {
        std::fill(r.dh[j], r.dh[j] + p_width, T(0));
        if (lane.g.h_n) std::copy_n(lane.g.h_n + lane.state(p.seq) * s.P, s.P, r.dh[j]);
      }
      if (cell_state) {
        r.dc[j] = dc + p.slot * s.padded;
        if (p.tau == 0) {
          std::fill(r.dc[j], r.dc[j] + s.padded, T(0));
          if (lane.g.c_n) std::copy_n(lane.g.c_n + lane.state(p.seq) * s.H, s.H, r.dc[j]);
        }
        r.x[j] = lane.cells + row * s.padded;
        if (tau) {
          r.c_prev[j] = lane.cells + lane.row(p.seq, tau - 1) * s.padded;
        } else if (lane.batch.c_0) {
          T* c = first_c + p.slot * s.padded;
          std::fill(c, c + s.padded, T(0));
          std::copy_n(lane.batch.c_0 + lane.state(p.seq) * s.H, s.H, c);
          r.c_prev[j] = c;
        } else {
          r.c_prev[j] = zeros;
        }
      } else {
        const int64_t at = s.traits.blends ? tau - 1 : tau;  // of the state before the step, or after it
        r.h[j] = at >= 0 ? lane.batch.out + lane.out_at(p.seq, at)
                 : lane.batch.h_0 ? lane.batch.h_0 + lane.state(p.seq) * s.P
                                  : zeros;
      }
      if (s.variant.any) {
        r.drop[j] = lane.batch.drop_of(lane.direction, p.seq, s.H);
        r.zone[j] = lane.batch.zone_of(lane.direction, p.seq, lane.time(p.seq, tau), cell_state ? 2 * s.H : s.H);
        r.sums[j] = lane.sums ? lane.sums + p.seq * s.sums : nullptr;
        r.dreset[j] = dreset + p.slot * s.padded;
      }
      if (apart) {
        T* h = lane.hidden + row * s.P;
        for (int64_t k = 0; k < s.P; ++k) h[k] = r.dh[j][k] + (lane.g.out ? r.dout[j][k] : T(0));
        r.m[j] = dm + p.slot * s.padded;
        r.m_out[j] = lane.m + row * s.padded;
      }
    }
    if (apart) {
      Multiply<T> project{};
      project.rows = b.rows;
      project.a = const_cast<const T* const*>(r.hidden.data());
      project.b = &weights.hr_back;
      project.c = r.m.data();
      project.columns = s.padded;
      project.last = (weights.hr_back.total + 3) / 4;
      table.multiply(project);
    }
    if (s.variant.any) {
      v.rows = b.rows;
      step_back(weights, v, r);
    } else {
      element_wise(b);
    }
    span.meet();
    back.down = count % 2;
    table.multiply(back);
    for (int64_t j = 0; j < b.rows; ++j) {
      const Place& p = slots.places()[size_t(j)];
      if (p.tau + 1 < lane.batch.lengths[p.seq]) continue;
      const int64_t state = lane.state(p.seq);
      if (lane.g.h_0)
        copy_some(r.dh[j], lane.g.h_0 + state * s.P, span.unit_first, std::min(span.unit_last, s.P));
      if (lane.g.c_0 && cell_state)
        copy_some(r.dc[j], lane.g.c_0 + state * s.H, span.unit_first, std::min(span.unit_last, s.H));
    }
  }
}

// Gradients of weights and biases that come from the same gates: their tiles, and how they go back into torch's order.
template <class T> struct Sum {
  struct Part {
    T* to;  // rows of `width`
    int64_t width;
  };
  Outer<T> outer;
  Part parts[3];  // in the order of the rows of `outer`; unused ones are of no width
  int64_t gate[4], unit_start[4], unit_step;
  int64_t H;
  int64_t tiles;

  void unpack(int64_t first, int64_t last, const Table<T>& table) const {
    const int64_t w = table.lanes, M = outer.rows(), rows = table.outer_rows(outer), per_block = (M + rows - 1) / rows;
    while (first < last) {
      const int64_t block = first / per_block, stop = std::min(last, (block + 1) * per_block);
      const int64_t begin = first % per_block * rows, end = std::min((stop - block * per_block) * rows, M);
      int64_t before = 0;
      for (const Part& part : parts) {
        const int64_t low = std::max(begin, before), high = std::min(end, before + part.width);
        for (int64_t v = 0; v < outer.vectors && low < high; ++v) {
          const int64_t unit = unit_start[v] + block * unit_step;
          table.transpose(outer.c + ((block * M + low) * outer.vectors + v) * w, high - low, std::min(w, H - unit),
                          outer.vectors * w, part.to + (gate[v] * H + unit) * part.width + low - before, part.width);
        }
        before += part.width;
      }
      first = stop;
    }
  }
};

template <class T> struct BackwardCall {
  Plan plan;
  std::vector<Lane<T>> lanes;
  const Batch<T>& batch;
  const Gradients<T>& g;
  std::vector<const T*> x_rows, h_rows[2], hidden_rows[2], reset_rows[2];
  std::vector<Sum<T>> sums;
  int64_t total;

  void back(Team team) {
    FlushDenormals flush;
    for (const Lane<T>& lane : lanes) {
      const Weights<T>& w = lane.weights;
      const int64_t panels = (w.hh_back.total + 3) / 4, units = 4 * w.sizes.w;
      if (plan.split) {
        run_back(lane, Slots(plan.sequences[size_t(lane.direction)], batch.lengths, plan.slots(lane.direction)),
                 Span::of(team, panels, units, &plan.barrier()));
        plan.barrier().wait(team);
      } else {
        Span span = Span::of({0, 1}, panels, units, nullptr);
        span.unit_last = std::max(span.unit_last, w.sizes.padded);
        for (int part = team.index; part < plan.parts; part += team.size) {
          const Share& share = plan.share(part, lane.direction);
          if (!share.sequences.empty()) run_back(lane, Slots(share.sequences, batch.lengths, share.slots), span);
        }
      }
    }
  }

  void sum(Team team) {
    FlushDenormals flush;
    if (g.x) input_gradient(total * team.index / team.size, total * (team.index + 1) / team.size);
    int64_t all = 0, at = 0;
    for (const Sum<T>& s : sums) all += s.tiles;
    const int64_t first = all * team.index / team.size, last = all * (team.index + 1) / team.size;
    const Table<T>& table = lanes[0].weights.table;
    Rows<T> rows(0);
    T* work = rows.reserve(table.outer_work);
    for (const Sum<T>& s : sums) {
      const int64_t from = std::max<int64_t>(first - at, 0), to = std::min(last - at, s.tiles);
      if (from < to) {
        table.outer(s.outer, work, from, to);
        s.unpack(from, to, table);
      }
      at += s.tiles;
    }
  }

  // x gradient of flat rows [from, to): the first direction writes, the second adds.
  void input_gradient(int64_t from, int64_t to) {
    std::vector<T*> c;
    std::vector<const T*> a;
    int64_t seq = std::upper_bound(plan.flat.begin(), plan.flat.end(), from) - plan.flat.begin() - 1;
    constexpr int64_t ROWS_AT_ONCE = 96;
    for (int64_t row = from; row < to; row += ROWS_AT_ONCE) {
      const int64_t end = std::min(row + ROWS_AT_ONCE, to);
      c.clear();
      for (int64_t k = row; k < end; ++k) {
        while (k >= plan.flat[size_t(seq) + 1]) ++seq;
        c.push_back(g.x + batch.x_start[seq] + (k - plan.flat[size_t(seq)]) * batch.x_step);
      }
      for (const Lane<T>& lane : lanes) {
        const Sizes& s = lane.weights.sizes;
        a.clear();
        for (int64_t k = row; k < end; ++k) a.push_back(lane.gates + k * s.saved);
        Multiply<T> m{};
        m.rows = end - row;
        m.a = a.data();
        m.b = &lane.weights.ih_back;
        m.onto = lane.direction == 1;
        m.c = c.data();
        m.columns = s.I;
        m.last = (lane.weights.ih_back.total + 3) / 4;
        lane.weights.table.multiply(m);
      }
    }
  }

  // What is summed over the same gates: gradients wanted (to not null) by rows of `width` numbers, and by the bias.
  struct Wanted {
    T* to;
    const std::vector<const T*>* rows;
    int64_t width;
  };

  // Lists the sums of one direction; returns how many numbers their tiles need. `memory` null: only counts.
  int64_t list_sums(const Lane<T>& lane, T* memory) {
    const Sizes& s = lane.weights.sizes;
    const int64_t d = lane.direction;
    int64_t used = 0;
    auto add = [&](const std::array<Wanted, 2>& by, T* bias, const T* rows, int64_t stride, int64_t blocks,
                   int64_t vectors, auto place) {
      Sum<T> sum{};
      int64_t part = 0;
      for (const Wanted& one : by)
        if (one.to) {
          sum.outer.a[part] = one.rows->data();
          sum.outer.M[part] = one.width;
          sum.parts[part++] = {one.to, one.width};
        }
      if (bias) {
        sum.outer.ones = 1;
        sum.parts[part] = {bias, 1};
      }
      if (sum.outer.rows() == 0 || blocks <= 0) return;
      sum.H = s.H;
      sum.outer.samples = total;
      sum.outer.g = rows;
      sum.outer.stride = stride;
      sum.outer.vectors = vectors;
      sum.outer.blocks = blocks;
      for (int64_t v = 0; v < vectors; ++v) place(sum, v);
      sum.outer.c = memory ? memory + used : nullptr;
      used += blocks * sum.outer.rows() * vectors * s.w;
      const int64_t tile = lane.weights.table.outer_rows(sum.outer);
      sum.tiles = blocks * ((sum.outer.rows() + tile - 1) / tile);
      if (memory) sums.push_back(sum);
    };
    const Wanted none{nullptr, nullptr, 0}, x{g.weight_ih[d], &x_rows, s.I}, h{g.weight_hh[d], &h_rows[d], s.P};
    const int64_t stride = s.saved, together = s.traits.together;
    // gates that are added up side by side; the candidate's by the input and by the state each in a place of its own
    auto place = [&s, together](int64_t candidate) {
      return [&s, together, candidate](Sum<T>& sum, int64_t v) {
        sum.outer.start[v] = v == together ? candidate : v * s.w;
        sum.outer.step[v] = v == together ? s.w : together * s.w;
        sum.gate[v] = v;
        sum.unit_step = s.w;
      };
    };
    const bool norm = s.variant.norm, before = s.variant.before;
    if (s.traits.candidate) {
      T* bias = norm ? nullptr : before ? one_bias(d) : g.bias_ih[d];
      add({x, none}, bias, lane.gates + s.by_input, stride, s.blocks, s.gates, place((together + !norm) * s.padded));
      if (before) {
        add({h, none}, nullptr, lane.gates, stride, s.blocks, together, place(0));
        const Wanted reset{g.weight_hh[d], &reset_rows[d], s.P};
        side_by_side(add, s, {reset, none}, nullptr, lane.gates + (together + 1) * s.padded, stride, together);
      } else {
        add({h, none}, norm ? nullptr : g.bias_hh[d], lane.gates, stride, s.blocks, s.gates, place(together * s.padded));
      }
    } else if (norm) {
      add({x, none}, nullptr, lane.gates + s.by_input, stride, s.blocks, s.gates, place(0));
      add({h, none}, nullptr, lane.gates, stride, s.blocks, s.gates, place(0));
    } else if (s.gates > 1) {
      add({x, h}, one_bias(d), lane.gates, stride, s.blocks, s.gates, place(0));
    } else {
      side_by_side(add, s, {x, h}, one_bias(d), lane.gates, s.saved);
    }
    if (s.projected && g.weight_hr[d]) {
      // dW_hr is P x H: the roles are turned, so it is summed as H x P and transposed on the way out
      side_by_side(add, s, {Wanted{g.weight_hr[d], &hidden_rows[d], s.P}, none}, nullptr, lane.m, s.padded);
    }
    return used;
  }

  // Where products are added up both biases have the same gradient: one is summed, the other copied from it.
  T* one_bias(int64_t d) const { return g.bias_ih[d] ? g.bias_ih[d] : g.bias_hh[d]; }

  // A row of one number per unit: four blocks of units to a tile, the rest in narrower ones.
  template <class Add>
  static void side_by_side(Add& add, const Sizes& s, const std::array<Wanted, 2>& by, T* bias, const T* rows,
                           int64_t stride, int64_t gate = 0) {
    const int64_t whole = s.blocks / 4, rest = s.blocks % 4;
    auto place = [&](int64_t first, int64_t vectors) {
      return [&s, first, vectors, gate](Sum<T>& sum, int64_t v) {
        sum.outer.start[v] = (first + v) * s.w;
        sum.outer.step[v] = vectors * s.w;
        sum.gate[v] = gate;
        sum.unit_start[v] = (first + v) * s.w;
        sum.unit_step = vectors * s.w;
      };
    };
    add(by, bias, rows, stride, whole, 4, place(0, 4));
    add(by, bias, rows, stride, rest ? 1 : 0, rest, place(whole * 4, rest));
  }

  void list_rows(const T* zeros) {
    const bool x_wanted = std::any_of(lanes.begin(), lanes.end(), [&](auto& l) { return g.weight_ih[l.direction]; });
    if (x_wanted) x_rows.reserve(size_t(total));
    for (int64_t seq = 0; seq < batch.size && x_wanted; ++seq)
      for (int64_t t = 0; t < batch.lengths[seq]; ++t)
        x_rows.push_back(batch.x + batch.x_start[seq] + t * batch.x_step);
    for (const Lane<T>& lane : lanes) {
      if (!g.weight_hh[lane.direction]) continue;
      const Sizes& s = lane.weights.sizes;
      auto& rows = h_rows[lane.direction];
      rows.resize(size_t(total));
      for (int64_t seq = 0; seq < batch.size; ++seq)
        for (int64_t tau = 0; tau < batch.lengths[seq]; ++tau)
          rows[size_t(lane.row(seq, tau))] = tau             ? batch.out + lane.out_at(seq, tau - 1)
                                             : batch.h_0 ? batch.h_0 + lane.state(seq) * s.P
                                                         : zeros;
    }
    for (const Lane<T>& lane : lanes)
      for (int64_t k = 0; k < total && lane.weights.sizes.variant.before; ++k)
        reset_rows[lane.direction].push_back(lane.gates + k * lane.weights.sizes.saved +
                                             lane.weights.sizes.traits.together * lane.weights.sizes.padded);
    for (const Lane<T>& lane : lanes)
      if (lane.weights.sizes.projected)
        for (int64_t k = 0; k < total; ++k)
          hidden_rows[lane.direction].push_back(lane.hidden + k * lane.weights.sizes.P);
  }
};

// The state of a sequence of length 0 goes straight through, and so does its gradient.
template <class T> void pass_empty(const Sizes& s, const Batch<T>& batch, const Gradients<T>& g) {
  auto pass = [&](const T* from, T* to, int64_t n, int64_t state) {
    if (!to) return;
    if (from)
      std::copy_n(from + state * n, n, to + state * n);
    else
      std::fill_n(to + state * n, n, T(0));
  };
  for (int64_t d = 0; d < batch.directions; ++d)
    for (int64_t b = 0; b < batch.size; ++b)
      if (!batch.lengths[b]) {
        pass(g.h_n, g.h_0, s.P, d * batch.size + b);
        pass(g.c_n, g.c_0, s.H, d * batch.size + b);
      }
}

// Adds up what each sequence has gathered, in their order, and hands it out in torch's.
template <class T> void add_sums(const Lane<T>& lane, const Gradients<T>& g, std::vector<T>& total) {
  const Sizes& s = lane.weights.sizes;
  total.assign(size_t(s.sums), T(0));
  for (int64_t seq = 0; seq < lane.batch.size; ++seq)
    for (int64_t k = 0; k < s.sums; ++k) total[size_t(k)] += lane.sums[seq * s.sums + k];
  const T* from = total.data();
  auto take = [&](T* to, T* also, int64_t count) {
    for (int64_t k = 0; k < count * s.padded; ++k) {
      const int64_t gate = k / s.w % count, unit = k / s.w / count * s.w + k % s.w;
      if (unit >= s.H) continue;
      if (to) to[gate * s.H + unit] = from[k];
      if (also) also[gate * s.H + unit] = from[k];
    }
    from += count * s.padded;
  };
  const int64_t d = lane.direction;
  if (s.variant.norm && s.traits.cell_state) {
    take(g.bias_ih[d], g.bias_hh[d], 4);
    take(g.gain_hh[d], nullptr, 4);
    take(g.gain_ih[d], nullptr, 4);
    take(g.gain_c[d], nullptr, 1);
    take(g.bias_c[d], nullptr, 1);
  } else if (s.variant.norm) {
    take(g.bias_ih[d], nullptr, 3);
    take(g.bias_hh[d], nullptr, 3);
    take(g.gain_hh[d], nullptr, 3);
    take(g.gain_ih[d], nullptr, 3);
  }
  if (s.variant.peephole) take(g.peephole[d], nullptr, 3);
}

template <class T> void clear(T* p, int64_t n) {
  if (p) std::fill_n(p, n, T(0));
}

}  // namespace

template <class T>
void backward(const Weights<T>* const* weights, const Batch<T>& batch, const Saved<T>* saved, const Gradients<T>& g,
              int threads, int mode) {
  const Sizes& s = weights[0]->sizes;
  pass_empty(s, batch, g);
  const int parts = worth(threads, batch.lengths, batch.size, batch.directions, s);
  BackwardCall<T> call{Plan(batch.lengths, batch.size, batch.directions, parts, mode, s),
                       {}, batch, g, {}, {}, {}, {}, {}, 0};
  call.total = call.plan.flat.back();
  if (call.total == 0) {
    for (int64_t d = 0; d < batch.directions; ++d) {
      clear(g.weight_ih[d], s.gates * s.H * s.I);
      clear(g.weight_hh[d], s.gates * s.H * s.P);
      clear(g.bias_ih[d], s.gates * s.H);
      clear(g.bias_hh[d], s.gates * s.H);
      clear(g.weight_hr[d], s.P * s.H);
      clear(g.peephole[d], 3 * s.H);
      clear(g.gain_ih[d], s.gates * s.H);
      clear(g.gain_hh[d], s.gates * s.H);
      clear(g.gain_c[d], s.H);
      clear(g.bias_c[d], s.H);
    }
    return;
  }
  const int64_t total = call.total;
  Memory work[2], sums[2], zeros_memory(size_t(s.P) * sizeof(T)), tiles_memory;
  T* zeros = zeros_memory.as<T>();
  std::fill(zeros, zeros + s.P, T(0));
  for (int64_t d = 0; d < batch.directions; ++d) {
    const int64_t own_gates = saved && saved[d].gates ? 0 : total * s.saved;
    const int64_t own_hidden = s.projected && !g.hidden[d] ? total * s.P : 0, m = s.projected ? total * s.padded : 0;
    T* memory = static_cast<T*>(work[d].reserve(size_t(own_gates + own_hidden + m + 64) * sizeof(T)));
    const int64_t summed = batch.size * s.sums;
    T* own_sums = summed ? static_cast<T*>(sums[d].reserve(size_t(summed) * sizeof(T))) : nullptr;
    std::fill_n(own_sums, summed, T(0));
    call.lanes.push_back(Lane<T>{*weights[d], batch, g, d, call.plan.flat.data(),
                                 own_gates ? memory : saved[d].gates, saved ? saved[d].cells : nullptr,
                                 own_hidden ? memory + own_gates : g.hidden[d], memory + own_gates + own_hidden, own_sums});
  }
  call.list_rows(zeros);
  int64_t numbers = 0;
  for (const Lane<T>& lane : call.lanes) numbers += call.list_sums(lane, nullptr);
  T* tiles = static_cast<T*>(tiles_memory.reserve(size_t(numbers + 64) * sizeof(T)));
  for (const Lane<T>& lane : call.lanes) tiles += call.list_sums(lane, tiles);
  run_in_team(parts, [&](Team team) { call.back(team); });
  run_in_team(parts, [&](Team team) { call.sum(team); });
  for (int64_t d = 0; d < batch.directions; ++d) {
    if (s.sums) {
      std::vector<T> total;
      add_sums(call.lanes[size_t(d)], g, total);
    }
    if ((!s.traits.candidate || s.variant.before) && !s.variant.norm && g.bias_ih[d] && g.bias_hh[d])
      std::copy_n(g.bias_ih[d], s.gates * s.H, g.bias_hh[d]);
    if (s.projected && g.weight_hr[d]) {
      // summed as H x P; see list_sums
      std::vector<T> turned(g.weight_hr[d], g.weight_hr[d] + s.P * s.H);
      for (int64_t h = 0; h < s.H; ++h)
        for (int64_t p = 0; p < s.P; ++p) g.weight_hr[d][p * s.H + h] = turned[size_t(h * s.P + p)];
    }
  }
}

template void backward<float>(const Weights<float>* const*, const Batch<float>&, const Saved<float>*,
                              const Gradients<float>&, int, int);
template void backward<double>(const Weights<double>* const*, const Batch<double>&, const Saved<double>*,
                               const Gradients<double>&, int, int);

}  // namespace recurra
