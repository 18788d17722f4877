// Runs one block of a grid at a time on the calling thread of the CPU: a fiber for each of its threads, which
// it lets run one after the other until they wait for each other.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <vector_types.h>

#include "tests/cuda_on_cpu/async_copy.h"
#include "tests/cuda_on_cpu/box_copy.h"
#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/fiber.h"
#include "tests/cuda_on_cpu/phase_barrier.h"
#include "tests/cuda_on_cpu/random.h"
#include "tests/cuda_on_cpu/shared_memory.h"
#include "tests/cuda_on_cpu/warp_group.h"

namespace tpn::cuda_on_cpu {

inline constexpr unsigned lanes_per_warp = 32;
inline constexpr unsigned max_threads = 1024;
inline constexpr unsigned max_warps = max_threads / lanes_per_warp;

// What waiting threads wait for, beside the names of collectives.
inline constexpr char name_of_block_wait[] = "__syncthreads";
inline constexpr char name_of_phase_wait[] = "PhaseBarrier::wait";
inline constexpr char name_of_group_wait[] = "warp_group_wait for what other warps have not started";

class KernelCall;

/// A kernel that was started.
struct Launch {
  std::string kernel;
  int device = 0;
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  // dynamic
  std::size_t shared_limit = 0;  // dynamic and fixed
  std::uint64_t serial = 0;
  std::shared_ptr<const KernelCall> call;
};

/// One CUDA thread.
struct DeviceThread {
  Fiber fiber;
  uint3 index{};
  unsigned linear = 0;
  bool finished = false;
  const char* waits_for = nullptr;  // the barrier or collective
  AsyncCopies copies;
  ThreadProducts products;

  [[nodiscard]] unsigned warp() const { return linear / lanes_per_warp; }
  [[nodiscard]] unsigned lane() const { return linear % lanes_per_warp; }
};

/// Of the lanes of a warp that wait for each other.
struct Collective {
  std::uint32_t mask = 0;
  std::uint32_t arrived = 0;
  const char* name = nullptr;
};

struct Warp {
  std::uint32_t lanes = 0;  // those that exist
  std::array<std::uint8_t, lanes_per_warp> ready{};
  unsigned ready_count = 0;
  bool queued = false;
  std::array<void*, lanes_per_warp> arguments{};  // of the lanes that wait in a collective
  std::vector<Collective> collectives;            // unfinished; their masks have no lane in common
};

class BlockRunner {
 public:
  BlockRunner();

  /// Runs a block to its end. False: it did not get there; a finding tells why.
  bool run(const Launch& launch, std::uint64_t block, std::uint64_t seed);

  /// Of the calling thread of the CPU; null where no kernel runs.
  static BlockRunner* current() { return running; }

  // For a running CUDA thread.

  [[nodiscard]] DeviceThread& thread() { return threads_[current_]; }
  [[nodiscard]] const Launch& launch() const { return *launch_; }
  [[nodiscard]] SharedMemory& shared() { return shared_; }
  [[nodiscard]] const StackPool& stacks() const { return stacks_; }
  [[nodiscard]] PhaseBarriers& barriers() { return barriers_; }
  [[nodiscard]] BoxCopies& box_copies() { return box_copies_; }
  [[nodiscard]] WarpGroups& warp_groups() { return warp_groups_; }

  /// Waits for all threads of the block. The sum of what they gave as `contribution` (__syncthreads_count).
  unsigned barrier(unsigned contribution);

  /// Waits for the lanes in the mask, which call the same collective (`name`, a literal). The last to arrive
  /// calls complete(arguments by lane, mask) for all.
  template <class Complete>
  void collective(std::uint32_t mask, const char* name, void* argument, const Complete& complete) {
    Warp& warp = warps_[thread().warp()];
    const Collective* full = arrive(warp, mask, name, argument);
    if (full == nullptr) return;
    complete(warp.arguments, full->mask);
    release(warp, *full);
  }

  /// Suspends the calling thread until wake(its number). what: one of the names above.
  void wait_for(const char* what);
  void wake(unsigned thread);

  /// Called where threads give each other work without waiting: sometimes others go on first, and sometimes
  /// a copy of a box ends.
  void let_others_run();

  /// Adds a finding about the calling thread. what: without kernel, block and thread.
  void report(FindingKind kind, const std::string& what);
  /// The same about the block.
  void report_of_block(FindingKind kind, const std::string& what);

  /// Ends the block; the calling thread does not go on.
  [[noreturn]] void abort();

 private:
  static constinit thread_local BlockRunner* running;

  static void run_thread(void* runner);
  void start_fiber(DeviceThread& thread);
  void prepare(const Launch& launch, std::uint64_t block);
  const Collective* arrive(Warp& warp, std::uint32_t mask, const char* name, void* argument);
  void release(Warp& warp, const Collective& collective);
  void make_ready(Warp& warp, unsigned index, std::uint32_t lanes);
  void release_all();
  void enqueue(unsigned warp);
  bool pick_next();
  bool finish_copies_and_pick();
  void suspend();
  void finish_thread();
  void report_deadlock();
  [[nodiscard]] std::string place(const std::string& threads) const;

  StackPool stacks_;
  std::unique_ptr<DeviceThread[]> threads_;
  std::array<Warp, max_warps> warps_;
  SharedMemory shared_;
  PhaseBarriers barriers_{*this};
  BoxCopies box_copies_{*this};
  WarpGroups warp_groups_{*this};
  Fiber scheduler_;
  Random random_;
  std::array<std::array<std::uint8_t, lanes_per_warp>, 64> lane_orders_{};

  const Launch* launch_ = nullptr;
  unsigned thread_count_ = 0;
  unsigned warp_count_ = 0;
  unsigned finished_ = 0;
  unsigned current_ = 0;
  unsigned started_ = 0;  // threads with a fiber
  bool aborted_ = false;

  std::array<std::uint8_t, max_warps> queue_{};  // warps with lanes that can run, a ring
  unsigned queue_head_ = 0;
  unsigned queue_size_ = 0;
  unsigned current_warp_ = 0;

  unsigned at_barrier_ = 0;
  unsigned barrier_sum_ = 0;
  unsigned barrier_result_ = 0;
};

}  // namespace tpn::cuda_on_cpu
