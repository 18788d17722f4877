#include "kernels/cpu/contention.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"

namespace tpn {
namespace {

std::ptrdiff_t threads_of_this_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

/// Whether OpenMP's threads have been made sleepy shows in the threads that do it.
TEST(Contention, IsNoticedWhereOthersWantTheProcessors) {
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  if (processors < 2) GTEST_SKIP() << "There is one processor: OpenMP has no threads that wait.";
  const CpuBackend backend(processors);
  backend.enter_thread();
  std::atomic<bool> end = false;
  std::vector<std::jthread> others;
  for (int i = 0; i < 2 * processors; ++i) {
    others.emplace_back([&] {
      while (!end) {
      }
    });
  }
  cpu::notice_contention();
  const std::ptrdiff_t before = threads_of_this_process();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::ptrdiff_t most = before;
  while (most == before && std::chrono::steady_clock::now() < deadline) {
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(100)) {
    }
    cpu::notice_contention();
    most = std::max(most, threads_of_this_process());
  }
  end = true;
  EXPECT_GE(most, before + 1);
}

}  // namespace
}  // namespace tpn
