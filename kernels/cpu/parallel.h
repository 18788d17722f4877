// Loops over the threads of the calling thread's OpenMP pool, the one that oneDNN uses too.
#pragma once

#include <algorithm>
#include <cstdint>

#include <omp.h>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define __SANITIZE_THREAD__ 1
#endif
#endif

namespace tpn::cpu {

/// Calls body(begin, end) on disjoint ranges that cover [0, count), at most one a thread; a range has at
/// least `grain` elements where there are that many. The body must not throw.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  const std::int64_t parts =
      std::clamp<std::int64_t>(count / std::max<std::int64_t>(grain, 1), 1, omp_get_max_threads());
  if (parts == 1) {
    if (count > 0) body(std::int64_t{0}, count);
    return;
  }
#ifdef __SANITIZE_THREAD__
  // libgomp is not instrumented: its fork and join are told to the race detector here.
  char fork = 0, join = 0;
  __tsan_release(&fork);
#endif
  const int threads = static_cast<int>(parts);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t part = 0; part < parts; ++part) {
#ifdef __SANITIZE_THREAD__
    __tsan_acquire(&fork);
#endif
    body(count * part / parts, count * (part + 1) / parts);
#ifdef __SANITIZE_THREAD__
    __tsan_release(&join);
#endif
  }
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(&join);
#endif
}

}  // namespace tpn::cpu
