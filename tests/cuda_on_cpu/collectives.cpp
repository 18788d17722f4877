// Barriers, shuffles and votes.
#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/device_functions.h"
#include "tests/cuda_on_cpu/race_checker.h"

namespace tpn::cuda_on_cpu {

namespace {

using Arguments = std::array<void*, lanes_per_warp>;

struct ShuffleLane {
  std::uint64_t bits;
  std::uint64_t result;
  Shuffle mode;
  int argument;
  int width;
};

/// Which lane's value `lane` receives.
unsigned source_lane(unsigned lane, const ShuffleLane& call) {
  const auto width = static_cast<unsigned>(call.width);
  const unsigned first = lane & ~(width - 1);  // of its group
  const auto argument = static_cast<unsigned>(call.argument);
  switch (call.mode) {
    case Shuffle::from_lane:
      return first | (argument & (width - 1));
    case Shuffle::up:
      return lane < first + argument ? lane : lane - argument;
    case Shuffle::down:
      return lane + argument >= first + width ? lane : lane + argument;
    case Shuffle::exclusive_or:
      return (lane ^ argument) >= first + width ? lane : lane ^ argument;
  }
  return lane;
}

std::uint32_t ballot(std::uint32_t mask, int predicate, const char* name) {
  struct Lane {
    bool predicate;
    std::uint32_t result;
  } self{predicate != 0, 0};
  BlockRunner::current()->collective(mask, name, &self, [](const Arguments& lanes, std::uint32_t all) {
    std::uint32_t votes = 0;
    for (unsigned i = 0; i < lanes_per_warp; ++i) {
      if ((all >> i & 1U) != 0 && static_cast<Lane*>(lanes[i])->predicate) votes |= 1U << i;
    }
    for (unsigned i = 0; i < lanes_per_warp; ++i) {
      if ((all >> i & 1U) != 0) static_cast<Lane*>(lanes[i])->result = votes;
    }
  });
  return self.result;
}

}  // namespace

std::uint64_t shuffle(std::uint32_t mask, std::uint64_t bits, Shuffle mode, int argument, int width) {
  ShuffleLane self{bits, 0, mode, argument, width};
  BlockRunner::current()->collective(
      mask, "__shfl_sync", &self, [](const Arguments& lanes, std::uint32_t all) {
        for (unsigned i = 0; i < lanes_per_warp; ++i) {
          if ((all >> i & 1U) == 0) continue;
          auto& call = *static_cast<ShuffleLane*>(lanes[i]);
          const unsigned source = source_lane(i, call);
          const bool takes_part = source < lanes_per_warp && (all >> source & 1U) != 0;
          call.result = takes_part ? static_cast<ShuffleLane*>(lanes[source])->bits : ~std::uint64_t{0};
        }
      });
  return self.result;
}

}  // namespace tpn::cuda_on_cpu

using tpn::cuda_on_cpu::BlockRunner;

void __syncthreads() {
  BlockRunner::current()->barrier(0);
}
int __syncthreads_count(int predicate) {
  return static_cast<int>(BlockRunner::current()->barrier(predicate != 0 ? 1 : 0));
}
int __syncthreads_or(int predicate) {
  return __syncthreads_count(predicate) != 0 ? 1 : 0;
}
int __syncthreads_and(int predicate) {
  return BlockRunner::current()->barrier(predicate == 0 ? 1 : 0) == 0 ? 1 : 0;
}

void __syncwarp(unsigned mask) {
  BlockRunner& runner = *BlockRunner::current();
  const unsigned warp = runner.thread().warp();
  runner.collective(mask, "__syncwarp", nullptr, [warp](const auto& /*lanes*/, std::uint32_t all) {
    tpn::cuda_on_cpu::race::warp_barrier_done(warp, all);
  });
}

void __threadfence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __threadfence_block() {}

unsigned __ballot_sync(unsigned mask, int predicate) {
  return tpn::cuda_on_cpu::ballot(mask, predicate, "__ballot_sync");
}
int __any_sync(unsigned mask, int predicate) {
  return tpn::cuda_on_cpu::ballot(mask, predicate, "__any_sync") != 0 ? 1 : 0;
}
int __all_sync(unsigned mask, int predicate) {
  return tpn::cuda_on_cpu::ballot(mask, predicate == 0 ? 1 : 0, "__all_sync") == 0 ? 1 : 0;
}
unsigned __activemask() {
  return 1U << BlockRunner::current()->thread().lane();
}

void __trap() {
  BlockRunner& runner = *BlockRunner::current();
  runner.report(tpn::cuda_on_cpu::FindingKind::trap, "the kernel trapped");
  runner.abort();
}
