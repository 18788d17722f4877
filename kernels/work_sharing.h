// Work whose pieces take unequal times, shared among threads. Loops over tensors: kernels/cpu/parallel.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace tpn {

/// Calls body(i) once for each i below `count`, several at a time on as many threads, the calling one among
/// them. What a call throws first is thrown on when all threads have ended; no further ones are begun then.
template <class Body>
void share_work(std::size_t count, int threads, const Body& body) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr thrown;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) body(i);
    } catch (...) {
      next = count;
      const std::lock_guard lock(mutex);
      if (!thrown) thrown = std::current_exception();
    }
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  others.clear();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace tpn
