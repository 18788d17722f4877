#include "kernels/cpu/trial_threads.h"

#include <latch>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/error.h"

namespace tpn::cpu {

int try_threads(int count) {
  std::latch all_are_there(1);
  std::vector<std::jthread> threads;
  try {
    for (int i = 1; i < count; ++i) threads.emplace_back([&] { all_are_there.wait(); });
  } catch (const std::system_error&) {
  }
  all_are_there.count_down();
  return 1 + static_cast<int>(threads.size());
}

void require_threads(int count) {
  const int possible = try_threads(count);
  if (possible >= count) return;
  throw Error("Of " + std::to_string(count) + " threads only " + std::to_string(possible) +
              " can be started: there is not enough memory, or there are too many; ask for fewer.");
}

void start_pool(int count) {
  parallel_for(count, 1, [](std::int64_t, std::int64_t) {});
}

}  // namespace tpn::cpu
