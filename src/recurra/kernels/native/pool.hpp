// A few threads of our own that wait for work: started when first needed, at rest when nothing comes.
//
// One fork per call, none per time step. A caller that finds the pool taken by another thread of the program works
// alone, which changes no bit of any result.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace recurra {

class Pool {
 public:
  // The pool of this process; a forked child gets its own.
  static Pool& get();

  // How many threads the caller may use, at least 1 and at most `wanted`. Must be followed by release().
  int acquire(int wanted);
  void release();

  // Calls job(context, part) for part = 0 .. parts - 1, part 0 in the calling thread; returns when all are done.
  // Needs acquire() with at least `parts` granted.
  void run(int parts, void (*job)(void*, int), void* context);

 private:
  struct State;
  explicit Pool(State* state) : state_(state) {}
  State* state_;
};

// Parts meet here; cheap when they arrive together. Each part writes one counter of its own and reads the others'. A part
// that waits long gives its core away.
class Barrier {
 public:
  explicit Barrier(int parts) : arrived_(parts > 1 ? size_t(parts) : 0) {}
  void wait(int part);

 private:
  struct alignas(64) Count {
    std::atomic<uint32_t> value{0};
  };
  std::vector<Count> arrived_;
};

}  // namespace recurra
