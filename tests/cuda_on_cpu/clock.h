// Which accesses of the running block come before which, by CUDA's rules: __syncthreads orders all of a
// block,
// __syncwarp the lanes in its mask, nothing else orders anything.
#pragma once

#include <array>
#include <cstdint>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/shadow.h"

namespace tpn::cuda_on_cpu::race {

class Clock {
 public:
  void begin_launch() { first_of_launch_ = next_serial_; }
  void begin_block(unsigned threads);
  void barrier();
  void warp_barrier(unsigned warp, std::uint32_t mask);

  /// A record of an access by the thread now.
  [[nodiscard]] Record now(unsigned thread, unsigned kind) const {
    return {serial_, thread, ticks_[thread], kind};
  }

  /// Whether all that the record of a write (or of reads) stands for comes before what the thread does now.
  [[nodiscard]] bool write_before(Record write, unsigned thread) const;
  [[nodiscard]] bool reads_before(Record reads, unsigned thread) const;

  /// The reads so far and one more now.
  [[nodiscard]] Record add_read(Record reads, unsigned thread) const;
  /// The same of atomic accesses. write: atomic, or before.
  [[nodiscard]] Record add_atomic(Record write, unsigned thread) const;

  [[nodiscard]] bool of_running_block(Record record) const { return record.block() >= first_of_block_; }

 private:
  enum class Era : std::uint8_t { before, this_block, other_block };
  [[nodiscard]] Era era(Record record) const;
  [[nodiscard]] bool thread_before(unsigned other, std::uint32_t tick, unsigned thread) const;
  void start_serial();

  std::uint32_t next_serial_ = 1;
  std::uint32_t first_of_launch_ = 1;
  std::uint32_t first_of_block_ = 1;
  std::uint32_t serial_ = 0;
  std::uint32_t tick_ = 0;          // the youngest
  std::uint32_t barrier_tick_ = 0;  // what all know: accesses with smaller ticks
  std::array<std::uint32_t, max_threads> ticks_{};
  std::array<std::uint32_t, max_warps> warp_ticks_{};  // what all lanes know of each other
  // What a lane knows of another one besides; only used after barriers of parts of a warp.
  using Knowledge = std::array<std::array<std::uint32_t, lanes_per_warp>, lanes_per_warp>;
  std::array<Knowledge, max_warps> known_{};
  std::array<bool, max_warps> has_parts_{};
  unsigned threads_ = 0;
};

}  // namespace tpn::cuda_on_cpu::race
