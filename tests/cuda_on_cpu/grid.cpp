#include "tests/cuda_on_cpu/grid.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <thread>

#include "tests/cuda_on_cpu/memory.h"
#include "tests/cuda_on_cpu/race_checker.h"

namespace tpn::cuda_on_cpu {

namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing writes the environment
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::atomic<std::uint64_t>& seed() {
  static std::atomic<std::uint64_t> value = number_from_environment("CUDA_ON_CPU_SEED", 1);
  return value;
}

std::atomic<std::uint64_t> kernel_count{0};

/// Threads of the CPU that wait for grids.
class Workers {
 public:
  Workers() {
    const auto count = static_cast<unsigned>(worker_count());
    for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    work_given_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  bool run(const Launch& launch) {
    std::unique_lock lock(mutex_);
    launch_ = &launch;
    blocks_ = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
    // Blocks run in the order first, first + step, first + 2 step ... modulo their number.
    Random random(seed() * 1000003 + launch.serial);
    first_ = random() % blocks_;
    step_ = random() % blocks_ | 1U;
    while (std::gcd(step_, blocks_) != 1) step_ += 2;
    next_ = 0;
    failed_ = false;
    busy_ = static_cast<unsigned>(threads_.size());
    ++round_;
    work_given_.notify_all();
    work_done_.wait(lock, [this] { return busy_ == 0; });
    return !failed_;
  }

 private:
  void work() {
    BlockRunner runner;
    std::uint64_t round = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        work_given_.wait(lock, [&] { return stop_ || round_ != round; });
        if (stop_) return;
        round = round_;
      }
      const std::uint64_t seed_of_launch =
          seed() * 0x9e3779b97f4a7c15U + launch_->serial * 0xd1342543de82ef95U;
      for (std::uint64_t i = next_++; i < blocks_ && !failed_; i = next_++) {
        const std::uint64_t block = (i * step_ + first_) % blocks_;  // emulated grids are below 2^32 blocks
        if (!runner.run(*launch_, block, seed_of_launch + block)) failed_ = true;
      }
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) work_done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable work_given_;
  std::condition_variable work_done_;
  std::vector<std::thread> threads_;
  bool stop_ = false;
  std::uint64_t round_ = 0;
  unsigned busy_ = 0;
  const Launch* launch_ = nullptr;
  std::uint64_t blocks_ = 0;
  std::uint64_t first_ = 0;
  std::uint64_t step_ = 1;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<bool> failed_{false};
};

}  // namespace

void set_seed(std::uint64_t value) {
  seed() = value;
}

std::uint64_t kernels_run() {
  return kernel_count;
}

int worker_count() {
  if (race::enabled) return 1;
  static const auto count = static_cast<int>(std::clamp<std::uint64_t>(
      number_from_environment("CUDA_ON_CPU_THREADS", std::thread::hardware_concurrency()), 1, 256));
  return count;
}

bool run_grid(const Launch& launch) {
  static Workers workers;
  enter_device(launch.device);
  race::begin_launch();
  ++kernel_count;
  return workers.run(launch);
}

}  // namespace tpn::cuda_on_cpu
