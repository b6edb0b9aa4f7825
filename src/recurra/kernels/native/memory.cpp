#include <cstdlib>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "recurrence.hpp"

namespace recurra {

Memory::~Memory() { std::free(data_); }

void* Memory::reserve(size_t bytes) {
  if (bytes <= bytes_ && data_) return data_;
  std::free(data_);
  data_ = nullptr;
  bytes_ = 0;
  constexpr size_t large = size_t(1) << 21;
  const size_t alignment = bytes >= 2 * large ? large : 64;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (posix_memalign(&data_, alignment, rounded ? rounded : alignment) != 0) {
    data_ = nullptr;
    throw std::bad_alloc();
  }
#if defined(__linux__)
  if (alignment == large) madvise(data_, rounded, MADV_HUGEPAGE);
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
