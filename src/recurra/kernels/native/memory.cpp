#include <cstdlib>
#include <mutex>
#include <new>
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "recurrence.hpp"

namespace recurra {

namespace {

// Blocks given back, for the next call of the same size: fresh pages from the system cost a fifth of a forward pass
// that saves its gates. At most KEPT_BYTES and KEPT_BLOCKS are held; the oldest goes first.
constexpr size_t KEPT_BYTES = size_t(384) << 20;
constexpr size_t KEPT_BLOCKS = 24;
// Smaller blocks are the system allocator's business.
constexpr size_t SMALL = size_t(64) << 10;
constexpr size_t LARGE_PAGE = size_t(2) << 20;

struct Block {
  void* data;
  size_t bytes;
};

struct Kept {
  std::mutex mutex;
  Block blocks[KEPT_BLOCKS];
  size_t count = 0, bytes = 0;

  void drop(size_t at) {
    bytes -= blocks[at].bytes;
    --count;
    for (size_t j = at; j < count; ++j) blocks[j] = blocks[j + 1];
  }
  // A block of at least `wanted` bytes and at most a quarter more.
  Block take(size_t wanted) {
    std::lock_guard<std::mutex> lock(mutex);
    for (size_t j = count; j-- > 0;) {
      const Block block = blocks[j];
      if (block.bytes >= wanted && block.bytes <= wanted + wanted / 4) {
        drop(j);
        return block;
      }
    }
    return {nullptr, 0};
  }
  void give(Block block) {
    std::lock_guard<std::mutex> lock(mutex);
    while (count && (count == KEPT_BLOCKS || bytes + block.bytes > KEPT_BYTES)) {
      std::free(blocks[0].data);
      drop(0);
    }
    if (block.bytes > KEPT_BYTES) {
      std::free(block.data);
      return;
    }
    blocks[count++] = block;
    bytes += block.bytes;
  }
};

// Never destroyed: objects of the program may outlive this file's statics. A lock held by another thread while the
// program forks is waited for, see pthread_atfork below.
Kept& kept() {
  static Kept* everything = [] {
    Kept* fresh = new Kept;
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork([] { kept().mutex.lock(); }, [] { kept().mutex.unlock(); }, [] { kept().mutex.unlock(); });
#endif
    return fresh;
  }();
  return *everything;
}

void give_back(void* data, size_t bytes) {
  if (!data) return;
  if (bytes < SMALL)
    std::free(data);
  else
    kept().give({data, bytes});
}

}  // namespace

Memory::~Memory() { give_back(data_, bytes_); }

void* Memory::reserve(size_t bytes) {
  if (bytes <= bytes_ && data_) return data_;
  give_back(data_, bytes_);
  data_ = nullptr;
  bytes_ = 0;
  const size_t alignment = bytes >= 2 * LARGE_PAGE ? LARGE_PAGE : 64;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (bytes >= SMALL) {
    const Block block = kept().take(rounded);  // not `bytes`: a block of whole pages may be half as large again
    if (block.data) {
      data_ = block.data;
      bytes_ = block.bytes;
      return data_;
    }
  }
  if (posix_memalign(&data_, alignment, rounded ? rounded : alignment) != 0) {
    data_ = nullptr;
    throw std::bad_alloc();
  }
#if defined(__linux__)
  if (alignment == LARGE_PAGE) madvise(data_, rounded, MADV_HUGEPAGE);
#endif
  bytes_ = rounded;
  return data_;
}

#if defined(__x86_64__)
// Flush to zero is bit 15, denormals are zero bit 6.
FlushDenormals::FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(unsigned(before_) | 0x8040u); }
FlushDenormals::~FlushDenormals() { _mm_setcsr(unsigned(before_)); }
#elif defined(__aarch64__)
FlushDenormals::FlushDenormals() {
  asm volatile("mrs %0, fpcr" : "=r"(before_));
  asm volatile("msr fpcr, %0" ::"r"(before_ | (uint64_t(1) << 24)));
}
FlushDenormals::~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(before_)); }
#else
FlushDenormals::FlushDenormals() : before_(0) {}
FlushDenormals::~FlushDenormals() { (void)before_; }
#endif

}  // namespace recurra
