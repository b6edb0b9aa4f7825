#include "pool.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>
#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#endif
#if defined(__APPLE__)
#include <mach-o/dyld.h>

#include <cstring>
#endif

namespace recurra {

namespace {

using Job = void (*)(void*, Team);

// GNU's entry points, which LLVM's and Intel's runtimes have as well.
struct OpenMP {
  void (*parallel)(void (*)(void*), void*, unsigned threads, unsigned flags) = nullptr;
  int (*thread_num)() = nullptr;
  int (*num_threads)() = nullptr;

  void run(int wanted, Job job, void* context) const {
    struct Call {
      const OpenMP* openmp;
      Job job;
      void* context;
    } call{this, job, context};
    auto one = [](void* c) {
      const Call& call = *static_cast<Call*>(c);
      call.job(call.context, {call.openmp->thread_num(), call.openmp->num_threads()});
    };
    parallel(one, &call, unsigned(wanted), 0);
  }
};

#if defined(__unix__) || defined(__APPLE__)

// A handle on torch's library if it is loaded; never loads it.
void* library_of_torch() {
#if defined(__APPLE__)
  const char* name = "/libtorch_cpu.dylib";
  for (uint32_t j = 0; j < _dyld_image_count(); ++j) {
    const char* path = _dyld_get_image_name(j);
    if (path && std::strlen(path) > std::strlen(name) && !std::strcmp(path + std::strlen(path) - std::strlen(name), name))
      return dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
  }
  return nullptr;
#else
  return dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
#endif
}

// Looked for as torch's own references are resolved: among what all may see, then in what torch was linked to. Other
// packages bring OpenMP runtimes of their own, whose threads torch does not know.
template <class F> bool look_up(void* torch, const char* name, F& function) {
#if defined(__APPLE__)
  void* found = dlsym(torch, name);
#else
  void* found = dlsym(RTLD_DEFAULT, name);
  if (!found) found = dlsym(torch, name);
#endif
  function = reinterpret_cast<F>(found);
  return found != nullptr;
}

std::atomic<const OpenMP*> the_openmp{nullptr};
// The child of a fork has none of the runtime's threads, and GNU's waits for them for ever.
std::atomic<bool> forked{false};

const OpenMP* openmp() {
  if (forked.load(std::memory_order_acquire)) return nullptr;
  const OpenMP* known = the_openmp.load(std::memory_order_acquire);
  if (known) return known;
  void* torch = library_of_torch();
  if (!torch) return nullptr;  // it may come later
  static const OpenMP found = [torch] {
    OpenMP f;
    if (!look_up(torch, "GOMP_parallel", f.parallel) || !look_up(torch, "omp_get_thread_num", f.thread_num) ||
        !look_up(torch, "omp_get_num_threads", f.num_threads))
      f.parallel = nullptr;
    return f;
  }();
  if (!found.parallel) return nullptr;
  the_openmp.store(&found, std::memory_order_release);
  return &found;
}

#else
const OpenMP* openmp() { return nullptr; }
#endif

// Threads of our own, asleep between calls. A caller that finds them taken by another works alone.
class OwnThreads {
 public:
  // False, with nothing done, where no second thread is to be had.
  bool run(int wanted, Job job, void* context) {
    std::unique_lock<std::mutex> taken(taken_, std::try_to_lock);
    if (!taken) return false;
    try {
      for (; started_ < wanted - 1; ++started_) std::thread([this, index = started_ + 1] { work(index); }).detach();
    } catch (...) {  // no more threads: go on with those there are
    }
    const Team team{0, started_ + 1 < wanted ? started_ + 1 : wanted};
    if (team.size == 1) return false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = job;
      context_ = context;
      size_ = team.size;
      left_ = team.size - 1;
      ++number_;
    }
    wake_.notify_all();
    job(context, team);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return left_ == 0; });
    return true;
  }

 private:
  void work(int index) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (uint64_t seen = 0;;) {
      wake_.wait(lock, [&] { return number_ != seen; });
      seen = number_;
      if (index >= size_) continue;
      const Team team{index, size_};
      lock.unlock();
      job_(context_, team);
      lock.lock();
      if (--left_ == 0) done_.notify_one();
    }
  }

  std::mutex taken_, mutex_;
  std::condition_variable wake_, done_;
  Job job_ = nullptr;
  void* context_ = nullptr;
  int size_ = 0, left_ = 0, started_ = 0;
  uint64_t number_ = 0;
};

// Never destroyed: threads may still sleep in it when the program ends.
std::atomic<OwnThreads*> the_own{nullptr};

OwnThreads& own_threads() {
  if (OwnThreads* own = the_own.load(std::memory_order_acquire)) return *own;
  static std::mutex once;
  std::lock_guard<std::mutex> lock(once);
  if (!the_own.load(std::memory_order_acquire)) the_own.store(new OwnThreads, std::memory_order_release);
  return *the_own.load(std::memory_order_acquire);
}

#if defined(__unix__) || defined(__APPLE__)
// The child begins anew, without our threads and perhaps with a lock held by one of them.
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] {
  the_own.store(nullptr, std::memory_order_release);
  if (the_openmp.load(std::memory_order_acquire)) forked.store(true, std::memory_order_release);
});
#endif

inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void run_in_team(int wanted, Job job, void* context) {
  if (wanted > 1) {
    if (const OpenMP* runtime = openmp()) {
      runtime->run(wanted, job, context);
      return;
    }
    if (own_threads().run(wanted, job, context)) return;
  }
  job(context, {0, 1});
}

const char* pool_name() { return openmp() ? "openmp" : "own"; }

void Barrier::wait(Team team) {
  if (team.size == 1) return;
  constexpr int SPINS = 2000;  // some 50 microseconds, far shorter than a time slice of the system
  std::atomic<uint32_t>& own = arrived_[size_t(team.index)].value;
  const uint32_t round = own.load(std::memory_order_relaxed) + 1;
  own.store(round, std::memory_order_release);
  for (int other = 0; other < team.size; ++other) {
    // the difference, so that counting round the end of the type does no harm
    for (int j = 0; int32_t(arrived_[size_t(other)].value.load(std::memory_order_acquire) - round) < 0; ++j) {
      if (j < SPINS)
        pause_briefly();
      else
        std::this_thread::yield();
    }
  }
}

}  // namespace recurra
