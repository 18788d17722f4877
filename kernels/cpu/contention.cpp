#include "kernels/cpu/contention.h"

#include <algorithm>
#include <chrono>
#include <latch>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <omp.h>
#include <sys/resource.h>

#include "kernels/cpu/trial_threads.h"

namespace tpn::cpu {
namespace {

using Clock = std::chrono::steady_clock;

/// A second pool of OpenMP threads that do nothing. GNU's libgomp lets all its threads spin only shortly
/// while it has more of them than there are processors; nothing else but the environment that a process
/// starts with makes it do so.
class IdlePool {
 public:
  /// Throws std::system_error.
  explicit IdlePool(int threads)
      : thread_([this, threads] {
          omp_set_num_threads(threads);
          start_pool(threads);
          end_.wait();
        }) {}
  IdlePool(const IdlePool&) = delete;
  IdlePool& operator=(const IdlePool&) = delete;
  ~IdlePool() { end_.count_down(); }

 private:
  std::latch end_{1};
  std::jthread thread_;
};

/// Of the process, as its pools of threads are.
class Contention {
 public:
  void tell(bool contended, Clock::time_point now) {
    constexpr std::chrono::seconds memory{1};
    const std::lock_guard lock(mutex_);
    if (contended) {
      last_ = now;
      if (!pool_ && idle_threads() > 0) begin();
    } else if (pool_ && now - last_ > memory) {
      pool_.reset();
    }
  }

 private:
  /// As many as make one more than there are processors, unless that takes more than there are already.
  static int idle_threads() {
    const int idle = omp_get_num_procs() - omp_get_max_threads() + 2;
    return idle <= omp_get_max_threads() ? std::max(idle, 2) : 0;
  }

  void begin() {
    try {
      if (try_threads(idle_threads() + 1) > idle_threads()) pool_.emplace(idle_threads());
    } catch (const std::system_error&) {  // then it stays as it is
    }
  }

  std::mutex mutex_;
  std::optional<IdlePool> pool_;
  Clock::time_point last_;
};

/// How the calling thread has been doing.
struct Usage {
  long switches;   ///< times that its processor was taken away
  double seconds;  ///< of processor time
};

Usage thread_usage() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return {usage.ru_nivcsw, seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

}  // namespace

void notice_contention() {
  // On an idle machine a few a second; with another thread for the same processor, one every few
  // milliseconds.
  constexpr double most_per_second = 50;
  constexpr double interval = 0.01;
  thread_local Usage before = thread_usage();
  if (omp_get_max_threads() == 1) return;
  const Usage usage = thread_usage();
  const double elapsed = usage.seconds - before.seconds;
  if (elapsed < interval) return;
  const long switches = usage.switches - std::exchange(before, usage).switches;
  static Contention contention;
  contention.tell(static_cast<double>(switches) > most_per_second * elapsed, Clock::now());
}

}  // namespace tpn::cpu
