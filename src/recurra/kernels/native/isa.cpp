// The instruction sets in this build, and the choice among them, made once.
#include <cstdlib>
#include <cstring>
#include <string>

#include "kernels.hpp"

namespace recurra {

#define RECURRA_DECLARE(name)            \
  namespace name {                       \
  extern const Table<float> table_f;     \
  extern const Table<double> table_d;    \
  }
RECURRA_DECLARE(portable)
#ifdef RECURRA_HAS_AVX2
RECURRA_DECLARE(avx2)
#endif
#ifdef RECURRA_HAS_AVX512
RECURRA_DECLARE(avx512)
#endif
#ifdef RECURRA_HAS_NEON
RECURRA_DECLARE(neon)
#endif

namespace {

bool runs_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
#else
  return false;
#endif
}

bool runs_avx512() {
#if defined(__x86_64__)
  return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

bool always() { return true; }

struct Candidate {
  Isa isa;
  bool (*runs)();
};

// Best first.
const Candidate candidates[] = {
#ifdef RECURRA_HAS_AVX512
    {{"avx512", &avx512::table_f, &avx512::table_d}, runs_avx512},
#endif
#ifdef RECURRA_HAS_AVX2
    {{"avx2", &avx2::table_f, &avx2::table_d}, runs_avx2},
#endif
#ifdef RECURRA_HAS_NEON
    {{"neon", &neon::table_f, &neon::table_d}, always},
#endif
    {{"portable", &portable::table_f, &portable::table_d}, always},
};

}  // namespace

const char* available_isas() {
  static const std::string names = [] {
    std::string all;
    for (const Candidate& c : candidates)
      if (c.runs()) all += (all.empty() ? "" : " ") + std::string(c.isa.name);
    return all;
  }();
  (void)runs_avx512;
  return names.c_str();
}

const Isa* choose_isa(const char** why) {
  const char* forced = std::getenv("RECURRA_ISA");
  for (const Candidate& c : candidates) {
    if (!c.runs()) continue;
    if (!forced || !*forced || std::strcmp(forced, c.isa.name) == 0) {
      *why = forced && *forced ? "named by RECURRA_ISA" : "the best this machine has";
      return &c.isa;
    }
  }
  return nullptr;
}

}  // namespace recurra
