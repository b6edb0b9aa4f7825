// Who runs which sequence, and in which order: shares of threads, slots of a share, steps of a slot.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "pool.hpp"
#include "recurrence.hpp"

namespace recurra {

// One row of one step: a sequence at its own step `tau`, counted in the order of computation.
struct Place {
  int64_t seq, tau, slot;
};

// Sequences dealt out to slots; each slot runs its own back to back. Copy it to look ahead.
class Slots {
 public:
  // Longest first, each to the slot that is free soonest: all slots end at nearly the same time.
  Slots(const std::vector<int64_t>& longest_first, const int64_t* lengths, int64_t slots);
  int64_t count() const { return int64_t(queue_->size()); }
  // Moves on by one step; false when every slot is done.
  bool next();
  const std::vector<Place>& places() const { return places_; }

 private:
  struct State {
    int64_t at = 0, tau = -1;
  };
  std::shared_ptr<const std::vector<std::vector<int64_t>>> queue_;
  const int64_t* lengths_;
  std::vector<State> state_;
  std::vector<Place> places_;
};

struct Share {
  std::vector<int64_t> sequences;  // longest first
  int64_t slots = 0;
};

// Either each part runs its own sequences (shares), or all parts run all sequences, each a span of the hidden units.
struct Plan {
  Plan(const int64_t* lengths, int64_t batch, int64_t directions, int granted, int mode, const Sizes& sizes);
  int parts = 1;
  bool split = false;
  int64_t directions;
  std::vector<int64_t> flat;                    // first flat row of each sequence, and the end
  std::vector<std::vector<int64_t>> sequences;  // of each direction, longest first, empty ones left out
  std::vector<Share> shares;                    // parts x directions
  const Share& share(int part, int64_t direction) const { return shares[size_t(part * directions + direction)]; }
  int64_t slots(int64_t direction) const { return int64_t(sequences[size_t(direction)].size()); }
  Barrier& barrier() const { return *barrier_; }

 private:
  std::unique_ptr<Barrier> barrier_;
};

// The panels of one part and the hidden units in them.
struct Span {
  int64_t panel_first, panel_last, unit_first, unit_last;
  int part;
  Barrier* barrier;  // null when the part works alone
  void meet() const {
    if (barrier) barrier->wait(part);
  }
  static Span of(int part, int parts, int64_t panels, int64_t units_per_panel, Barrier* barrier) {
    const int64_t first = panels * part / parts, last = panels * (part + 1) / parts;
    return {first, last, first * units_per_panel, last * units_per_panel, part, barrier};
  }
};

// Threads taken from the pool for one call.
class Grant {
 public:
  explicit Grant(int threads);
  // Few numbers are not worth a second thread.
  Grant(int threads, const int64_t* lengths, int64_t batch, int64_t directions, const Sizes& sizes);
  ~Grant();
  Grant(const Grant&) = delete;
  Grant& operator=(const Grant&) = delete;
  void run(int count, void (*job)(void*, int), void* context);
  int parts = 1;
};

// Calls f(j) for all j < count, each part of the grant a run of them; denormal numbers are flushed meanwhile.
template <class F> void for_each(int64_t count, Grant& grant, F f) {
  struct Call {
    int64_t count;
    int parts;
    F& f;
    static void part(void* self, int index) {
      FlushDenormals flush;
      const Call& call = *static_cast<Call*>(self);
      for (int64_t j = call.count * index / call.parts; j < call.count * (index + 1) / call.parts; ++j) call.f(j);
    }
  } call{count, grant.parts, f};
  grant.run(grant.parts, &Call::part, &call);
}

// Pointers of the rows of a step, and scratch memory that each thread keeps between calls.
template <class T> struct Rows {
  explicit Rows(int64_t n)
      : x(n), pre(n), h(n), c_prev(n), dout(n), c(n), gates(n), out(n), m(n), dh(n), dc(n), hidden(n), m_out(n) {}
  T* reserve(int64_t numbers);
  std::vector<const T*> x, pre, h, c_prev, dout;
  std::vector<T*> c, gates, out, m, dh, dc, hidden, m_out;
  std::vector<const T*> ahead_x;
  std::vector<T*> ahead_pre;
  T* pre_buffer = nullptr;
};

}  // namespace recurra
