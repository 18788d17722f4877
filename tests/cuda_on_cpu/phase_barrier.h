// Barriers in shared memory that count arrivals and bytes, with phases (mbarrier).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tpn::cuda_on_cpu {

class BlockRunner;

// As PhaseBarrier in kernels/cuda/device.cuh.
void barrier_init(void* barrier, int arrivals);
void barrier_init_fence();
/// expected_bytes: more of them in this phase.
void barrier_arrive(void* barrier, int expected_bytes);
void barrier_wait(void* barrier, int parity);

/// Those of the running block. The state is kept here; shared memory holds only a tag, which shows whether
/// something else was written over the barrier.
class PhaseBarriers {
 public:
  using Index = std::size_t;

  explicit PhaseBarriers(BlockRunner& runner) : runner_(runner) {}

  void begin_block() { barriers_.clear(); }
  /// Names bytes that nobody waited for or expected, or that never came.
  void end_block();

  // For the calling thread; `place` is that of the call in the program.
  void init(void* at, int arrivals, const void* place);
  void init_fence();
  void arrive(const void* at, int expected_bytes, const void* place);
  void wait(const void* at, int parity, const void* place);

  /// The barrier that a copy shall give its bytes to.
  Index for_copy(const void* at, const void* place);
  [[nodiscard]] std::uint64_t phase(Index barrier) const { return barriers_[barrier].phase; }
  void bytes_came(Index barrier, std::size_t bytes);

  /// "`full` + 8 in phase 2, which lacks 1 of 2 arrivals and 64 bytes" for those at which threads wait.
  [[nodiscard]] std::string describe_waits() const;

 private:
  struct Barrier {
    std::byte* address;
    unsigned owner;  // the thread that initialised it
    bool fenced = false;
    int arrivals;            // of a phase
    int lacking;             // arrivals, in the current phase
    std::int64_t bytes = 0;  // expected and not there, in the current phase
    std::uint64_t phase = 0;
    std::uint64_t copy_phases = 0;    // phases up to the last in which bytes came
    std::uint64_t phases_waited = 0;  // those whose end was waited for
    std::vector<unsigned> waiting;    // threads
  };

  Index find(const void* at, const char* what, bool by_copy, const void* place);
  void end_phase_if_complete(Index barrier);
  template <class Message>
  [[noreturn]] void fail(const Message& message);
  [[nodiscard]] std::string describe(const Barrier& barrier) const;

  BlockRunner& runner_;
  std::vector<Barrier> barriers_;
};

}  // namespace tpn::cuda_on_cpu
