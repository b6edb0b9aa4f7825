#include "pool.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#endif

namespace recurra {

namespace {

inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Far shorter than a time slice of the system.
constexpr int64_t SPIN_NANOSECONDS = 50000;
// Longer than the Python between two calls of a training step: to wake a thread that sleeps takes as long as half of it.
constexpr int64_t SPIN_BETWEEN_CALLS_NANOSECONDS = 300000;

// Spins until ready() or time is up; returns whether ready.
template <class Ready> bool spin(Ready ready, int64_t nanoseconds = SPIN_NANOSECONDS) {
  // the clock is not asked before it has to be
  auto rounds = [&] {
    for (int j = 0; j < 64; ++j) {
      if (ready()) return true;
      pause_briefly();
    }
    return false;
  };
  if (rounds()) return true;
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(nanoseconds);
  while (!rounds())
    if (std::chrono::steady_clock::now() > end) return ready();
  return true;
}

// Threads that sleep, and where they wake: on another core than the caller's. Some systems put a woken thread where the
// waking one runs and look no further for milliseconds; both then share one core while the other is idle. Call under one lock.
class Sleepers {
#if defined(__linux__)
 public:
  void enter() { sleepers_.push_back({pthread_self(), {}, false}); }
  // The calling thread, awake again, may go where the one that woke it may.
  void leave() {
    for (Sleeper& one : sleepers_)
      if (pthread_equal(one.thread, pthread_self())) {
        if (one.away) sched_setaffinity(0, sizeof one.cores, &one.cores);
        one = sleepers_.back();
        sleepers_.pop_back();
        break;
      }
  }
  void wake_away_from_here() {
    cpu_set_t cores;
    const int here = sched_getcpu();
    if (here < 0 || sched_getaffinity(0, sizeof cores, &cores) != 0 || CPU_COUNT(&cores) < 2) return;
    cpu_set_t others = cores;
    CPU_CLR(here, &others);
    for (Sleeper& one : sleepers_) {
      one.cores = cores;
      one.away = pthread_setaffinity_np(one.thread, sizeof others, &others) == 0 || one.away;
    }
  }

 private:
  struct Sleeper {
    pthread_t thread;
    cpu_set_t cores;  // where it may go once awake
    bool away;        // whether it has been told where to wake
  };
  std::vector<Sleeper> sleepers_;
#else
 public:
  void enter() {}
  void leave() {}
  void wake_away_from_here() {}
#endif
};

}  // namespace

struct Pool::State {
  std::mutex taken;  // held by the caller between acquire and release
  std::mutex mutex;
  std::condition_variable wake, done;
  // Number of the job << 16 | its parts, in one word so that a worker never sees half of it.
  std::atomic<uint64_t> ticket{0};
  std::atomic<int> asleep{0}, left{0};
  void (*job)(void*, int) = nullptr;
  void* context = nullptr;
  int workers = 0;
  Sleepers sleepers;

  void work(int index) {
    uint64_t seen = 0;
    for (;;) {
      auto fresh = [&] { return ticket.load(std::memory_order_seq_cst) != seen; };
      if (!spin(fresh, SPIN_BETWEEN_CALLS_NANOSECONDS)) {
        std::unique_lock<std::mutex> lock(mutex);
        sleepers.enter();
        asleep.fetch_add(1, std::memory_order_seq_cst);
        wake.wait(lock, fresh);
        asleep.fetch_sub(1, std::memory_order_seq_cst);
        sleepers.leave();
      }
      seen = ticket.load(std::memory_order_seq_cst);
      if (index >= int(seen & 0xffff)) continue;
      job(context, index);
      if (left.fetch_sub(1, std::memory_order_seq_cst) == 1) {
        std::lock_guard<std::mutex> lock(mutex);
        done.notify_one();
      }
    }
  }
};

namespace {
std::atomic<Pool*> the_pool{nullptr};
}

Pool& Pool::get() {
  Pool* pool = the_pool.load(std::memory_order_acquire);
  if (pool) return *pool;
  // Never destroyed: workers may still wait when the program ends.
  static std::mutex once;
  std::lock_guard<std::mutex> lock(once);
  pool = the_pool.load(std::memory_order_acquire);
  if (!pool) {
    pool = new Pool(new State);
    the_pool.store(pool, std::memory_order_release);
#if defined(__unix__) || defined(__APPLE__)
    // The child has none of our threads and perhaps a lock held by one of them: it begins anew.
    static const bool registered = [] {
      pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr, std::memory_order_release); });
      return true;
    }();
    (void)registered;
#endif
  }
  return *pool;
}

int Pool::acquire(int wanted) {
  if (wanted <= 1 || !state_->taken.try_lock()) return 1;
  try {
    while (state_->workers < wanted - 1) {
      State* state = state_;
      const int index = state->workers + 1;
      std::thread([state, index] { state->work(index); }).detach();
      ++state->workers;
    }
  } catch (...) {  // no more threads to be had: go on with those there are
  }
  if (state_->workers == 0) {
    state_->taken.unlock();
    return 1;
  }
  return state_->workers + 1 < wanted ? state_->workers + 1 : wanted;
}

void Pool::release() { state_->taken.unlock(); }

void Pool::run(int parts, void (*job)(void*, int), void* context) {
  if (parts <= 1) {
    job(context, 0);
    return;
  }
  State& s = *state_;
  s.job = job;
  s.context = context;
  s.left.store(parts - 1, std::memory_order_seq_cst);
  s.ticket.store(((s.ticket.load() >> 16) + 1) << 16 | uint64_t(parts), std::memory_order_seq_cst);
  if (s.asleep.load(std::memory_order_seq_cst) > 0) {
    std::lock_guard<std::mutex> lock(s.mutex);
    s.sleepers.wake_away_from_here();
    s.wake.notify_all();
  }
  job(context, 0);
  auto finished = [&] { return s.left.load(std::memory_order_seq_cst) == 0; };
  if (!spin(finished)) {
    std::unique_lock<std::mutex> lock(s.mutex);
    s.done.wait(lock, finished);
  }
}

void Barrier::wait(int part) {
  if (arrived_.empty()) return;
  std::atomic<uint32_t>& own = arrived_[size_t(part)].value;
  const uint32_t round = own.load(std::memory_order_relaxed) + 1;
  own.store(round, std::memory_order_release);
  for (Count& other : arrived_) {
    // the difference, so that counting round the end of the type does no harm
    auto there = [&] { return int32_t(other.value.load(std::memory_order_acquire) - round) >= 0; };
    while (!spin(there)) {
#if defined(__unix__) || defined(__APPLE__)
      sched_yield();
#endif
    }
  }
}

}  // namespace recurra
