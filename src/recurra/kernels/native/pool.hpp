// Parallel parts of a call: on the threads of the OpenMP runtime that torch runs on, where torch is loaded, so that one
// process has one pool; else on a few of our own. One fork per call, none per time step.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace recurra {

// Who a thread is among those that run the same job at the same time.
struct Team {
  int index, size;
};

// Calls job(context, team) at once in `wanted` threads, the calling one among them, or in fewer where no more are to be
// had: inside a parallel region, under a limit, beside another call. Which team it is must change no bit of a result.
void run_in_team(int wanted, void (*job)(void*, Team), void* context);

template <class F> void run_in_team(int wanted, F f) {
  run_in_team(wanted, [](void* context, Team team) { (*static_cast<F*>(context))(team); }, &f);
}

// The threads of a team meet here; cheap when they arrive together. Each writes one counter of its own and reads the
// others'. One that waits long gives its core away.
class Barrier {
 public:
  explicit Barrier(int most) : arrived_(most > 1 ? size_t(most) : 0) {}
  void wait(Team team);

 private:
  struct alignas(64) Count {
    std::atomic<uint32_t> value{0};
  };
  std::vector<Count> arrived_;
};

// "openmp" or "own": what the next call runs on.
const char* pool_name();

}  // namespace recurra
