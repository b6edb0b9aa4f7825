// The forward pass of a layer: sequences dealt out to threads, each running its own through all time steps.
#include <algorithm>
#include <cstring>

#include "pool.hpp"
#include "recurrence.hpp"
#include "slots.hpp"
#include "variant_cell.hpp"

namespace recurra {

namespace {

// Numbers of pre-activation worked on at once: they stay in the second cache until the steps consume them.
constexpr int64_t CHUNK_NUMBERS = 96 * 1024;
// Inputs up to this size are summed in the step itself.
constexpr int64_t FUSED_INPUT = 48;

template <class T> struct ForwardJob {
  const Weights<T>& weights;
  const Batch<T>& batch;
  int64_t direction;
  T *h_n, *c_n;
  const Saved<T>* saved;  // null, or of this direction
  const int64_t* flat;    // first flat row of each sequence

  bool reverse() const { return batch.directions == 2 ? direction == 1 : batch.reverse; }
  int64_t time(int64_t seq, int64_t tau) const { return reverse() ? batch.lengths[seq] - 1 - tau : tau; }
  T* out(int64_t seq, int64_t tau) const {
    return batch.out + batch.out_start[seq] + time(seq, tau) * batch.out_step + direction * weights.sizes.P;
  }
  const T* x(int64_t seq, int64_t tau) const {
    return batch.x + batch.x_start[seq] + time(seq, tau) * batch.x_step;
  }
  int64_t row(int64_t seq, int64_t tau) const { return flat[seq] + time(seq, tau); }

  void copy_final(const Place& p, const T* h, const T* c, int64_t first, int64_t last) const {
    const Sizes& s = weights.sizes;
    const int64_t state = direction * batch.size + p.seq;
    if (h_n && first < std::min(last, s.P)) std::copy(h + first, h + std::min(last, s.P), h_n + state * s.P + first);
    if (c_n && c && first < std::min(last, s.H)) std::copy(c + first, c + std::min(last, s.H), c_n + state * s.H + first);
  }
};

// The rows of a few steps ahead, projected in one product.
template <class T> void project_ahead(const ForwardJob<T>& job, Slots slots, Rows<T>& r, int64_t steps, const Span& span) {
  const Weights<T>& weights = job.weights;
  r.ahead_x.clear();
  r.ahead_pre.clear();
  const int64_t width = weights.sizes.gates * weights.sizes.padded;
  for (int64_t step = 0; step < steps && slots.next(); ++step)
    for (const Place& p : slots.places()) {
      r.ahead_pre.push_back(r.pre_buffer + int64_t(r.ahead_x.size()) * width);
      r.ahead_x.push_back(job.x(p.seq, p.tau));
    }
  Multiply<T> m{};
  m.rows = int64_t(r.ahead_x.size());
  m.a = r.ahead_x.data();
  m.b = &weights.ih;
  m.bias = weights.sizes.variant.norm ? nullptr : weights.bias;
  m.c = r.ahead_pre.data();
  m.columns = width;
  m.first = span.panel_first;
  m.last = weights.sizes.variant.any ? panels_of(weights.ih) : span.panel_last;
  weights.table.multiply(m);
}

template <class T> void run_forward(const ForwardJob<T>& job, Slots slots, const Span& span) {
  const Weights<T>& weights = job.weights;
  const Sizes& s = weights.sizes;
  const Table<T>& table = weights.table;
  const int64_t n = slots.count(), width = s.gates * s.padded;
  const bool cell_state = s.traits.cell_state, variant = s.variant.any, fused = s.I <= FUSED_INPUT && !variant;
  const int64_t ahead = std::max<int64_t>(1, std::min<int64_t>(64, CHUNK_NUMBERS / (n * width)));
  Rows<T> r(n);
  T* scratch = r.reserve(n * s.padded * 2 + s.P + 128 + (fused ? 0 : ahead * n * width) +
                         VariantCell<T>::numbers(s, n));
  T* cells = scratch;
  T* m = cells + n * s.padded;
  T* zeros = m + n * s.padded;
  r.pre_buffer = zeros + (s.P + 63) / 64 * 64;
  std::fill(zeros, zeros + s.P, T(0));
  VariantCell<T> cell_step(weights, n, r.pre_buffer + (fused ? 0 : ahead * n * width));

  Forward<T> f{};
  f.x = fused ? r.x.data() : nullptr;
  f.pre = fused ? nullptr : r.pre.data();
  f.h = r.h.data();
  f.c_prev = r.c_prev.data();
  f.c = r.c.data();
  f.gates = job.saved && job.saved->gates ? r.gates.data() : nullptr;
  f.out = s.projected ? r.m.data() : r.out.data();
  f.w_ih = &weights.ih;
  f.w_hh = &weights.hh;
  f.bias = weights.bias;
  f.bias_n = weights.bias_n;
  f.hidden = s.H;
  f.relu = s.traits.relu;
  f.drop = job.batch.drop ? r.drop.data() : nullptr;
  f.zone = job.batch.zone ? r.zone.data() : nullptr;
  f.first = span.panel_first;
  f.last = span.panel_last;
  auto* step = table.forward[int(s.cell)];

  int64_t left = 0, used = 0;
  for (int64_t count = 0;; ++count) {
    if (!fused && left == 0) {
      project_ahead(job, slots, r, ahead, span);
      left = ahead;
      used = 0;
    }
    if (!slots.next()) break;
    --left;
    f.rows = int64_t(slots.places().size());
    for (int64_t j = 0; j < f.rows; ++j) {
      const Place& p = slots.places()[size_t(j)];
      const int64_t state = job.direction * job.batch.size + p.seq;
      if (fused)
        r.x[j] = job.x(p.seq, p.tau);
      else
        r.pre[j] = r.ahead_pre[size_t(used++)];
      r.h[j] = p.tau ? job.out(p.seq, p.tau - 1) : job.batch.h_0 ? job.batch.h_0 + state * s.P : zeros;
      r.out[j] = job.out(p.seq, p.tau);
      r.m[j] = m + p.slot * s.padded;
      if (job.saved && job.saved->gates) r.gates[j] = job.saved->gates + job.row(p.seq, p.tau) * s.saved;
      if (variant) {
        r.drop[j] = job.batch.drop_of(job.direction, p.seq, s.H);
        r.zone[j] = job.batch.zone_of(job.direction, p.seq, job.time(p.seq, p.tau), cell_state ? 2 * s.H : s.H);
      }
      if (!cell_state) continue;
      T* cell = cells + p.slot * s.padded;
      if (p.tau == 0) {
        std::fill(cell, cell + s.padded, T(0));
        if (job.batch.c_0) std::copy_n(job.batch.c_0 + state * s.H, s.H, cell);
      }
      if (job.saved) {
        r.c_prev[j] = p.tau ? job.saved->cells + job.row(p.seq, p.tau - 1) * s.padded : cell;
        r.c[j] = job.saved->cells + job.row(p.seq, p.tau) * s.padded;
      } else {
        r.c_prev[j] = r.c[j] = cell;
      }
    }
    f.down = count % 2;
    if (variant)
      cell_step.step(f);
    else
      step(f);
    if (s.projected) {
      Multiply<T> project{};
      project.rows = f.rows;
      project.a = r.m.data();
      project.b = &weights.hr;
      project.c = r.out.data();
      project.columns = s.P;
      project.last = (weights.hr.total + 3) / 4;
      table.multiply(project);
    }
    for (int64_t j = 0; j < f.rows; ++j) {
      const Place& p = slots.places()[size_t(j)];
      if (p.tau + 1 == job.batch.lengths[p.seq])
        job.copy_final(p, r.out[j], cell_state ? r.c[j] : nullptr, span.unit_first, span.unit_last);
    }
    span.meet();
  }
}

template <class T> struct ForwardCall {
  Plan plan;
  const Weights<T>* const* weights;
  const Batch<T>& batch;
  T *h_n, *c_n;
  const Saved<T>* saved;

  void run(Team team) {
    FlushDenormals flush;
    for (int64_t d = 0; d < batch.directions; ++d) {
      ForwardJob<T> job{*weights[d], batch, d, h_n, c_n, saved ? saved + d : nullptr, plan.flat.data()};
      const Sizes& s = weights[d]->sizes;
      const Panels<T>& hh = weights[d]->hh;
      if (plan.split) {
        const Span span = Span::of(team, (hh.total + hh.vectors - 1) / hh.vectors, hh.vectors / s.gates * s.w,
                                   &plan.barrier());
        run_forward(job, Slots(plan.sequences[size_t(d)], batch.lengths, plan.slots(d)), span);
        plan.barrier().wait(team);
      } else {
        Span span = Span::of({0, 1}, (hh.total + hh.vectors - 1) / hh.vectors, hh.vectors / s.gates * s.w, nullptr);
        span.unit_last = std::max(span.unit_last, s.padded);
        for (int part = team.index; part < plan.parts; part += team.size) {
          const Share& share = plan.share(part, d);
          if (!share.sequences.empty()) run_forward(job, Slots(share.sequences, batch.lengths, share.slots), span);
        }
      }
    }
  }
};

// A sequence of length 0 ends in the state it began in.
template <class T> void copy_empty(const Sizes& s, const Batch<T>& batch, T* h_n, T* c_n) {
  for (int64_t d = 0; d < batch.directions; ++d)
    for (int64_t b = 0; b < batch.size; ++b) {
      if (batch.lengths[b]) continue;
      const int64_t state = d * batch.size + b;
      auto copy = [&](const T* from, T* to, int64_t n) {
        if (!to) return;
        if (from)
          std::copy_n(from + state * n, n, to + state * n);
        else
          std::fill_n(to + state * n, n, T(0));
      };
      copy(batch.h_0, h_n, s.P);
      copy(batch.c_0, c_n, s.H);
    }
}

}  // namespace

template <class T>
void forward(const Weights<T>* const* weights, const Batch<T>& batch, T* h_n, T* c_n, const Saved<T>* saved,
             int threads, int mode) {
  copy_empty(weights[0]->sizes, batch, h_n, c_n);
  const Sizes& s = weights[0]->sizes;
  const int parts = worth(threads, batch.lengths, batch.size, batch.directions, s);
  ForwardCall<T> call{Plan(batch.lengths, batch.size, batch.directions, parts, mode, s), weights, batch, h_n, c_n, saved};
  run_in_team(parts, [&](Team team) { call.run(team); });
}

template <class T>
void clear_ends(T* rows, const int64_t* start, int64_t step, const int64_t* lengths, int64_t size, int64_t time,
                int64_t width, int threads) {
  constexpr int64_t ALONE = 1 << 16;  // numbers that one thread clears before a second would be there
  run_in_team(size * time * width < ALONE ? 1 : threads, [&](Team team) {
    for (int64_t b = team.index; b < size; b += team.size)
      for (int64_t t = lengths[b]; t < time; ++t) std::fill_n(rows + start[b] + t * step, width, T(0));
  });
}

template void clear_ends<float>(float*, const int64_t*, int64_t, const int64_t*, int64_t, int64_t, int64_t, int);
template void clear_ends<double>(double*, const int64_t*, int64_t, const int64_t*, int64_t, int64_t, int64_t, int);
template void forward<float>(const Weights<float>* const*, const Batch<float>&, float*, float*, const Saved<float>*, int,
                             int);
template void forward<double>(const Weights<double>* const*, const Batch<double>&, double*, double*,
                              const Saved<double>*, int, int);

}  // namespace recurra
