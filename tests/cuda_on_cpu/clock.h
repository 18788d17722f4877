// Which accesses of the running block come before which, by CUDA's rules: __syncthreads orders all of a
// block,
// __syncwarp the lanes in its mask, a PhaseBarrier those who arrive before those who wait; nothing else
// orders anything.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/shadow.h"

namespace tpn::cuda_on_cpu::race {

// What goes on when a thread has started it is done by another, with a number past those of threads. The
// products of a group of warps have one, whose ticks count commits; the copies whose bytes a PhaseBarrier
// counts have one, whose ticks count its phases. They are known to who has waited for them.
inline constexpr unsigned max_barriers = 120;  // those over are told apart from no others
inline constexpr unsigned helpers = max_groups + max_barriers;
constexpr unsigned products_of(unsigned thread) {
  return max_threads + thread / threads_per_group;
}
constexpr unsigned copies_at(std::size_t barrier) {
  return max_threads + max_groups + static_cast<unsigned>(barrier % max_barriers);
}
constexpr bool is_products(unsigned thread) {
  return thread >= max_threads && thread < max_threads + max_groups;
}
constexpr bool is_copies(unsigned thread) {
  return thread >= max_threads + max_groups;
}

class Clock {
 public:
  void begin_launch() { first_of_launch_ = next_serial_; }
  void begin_block(unsigned threads);
  void barrier();
  void warp_barrier(unsigned warp, std::uint32_t mask);

  void arrive(unsigned thread, std::size_t barrier);
  void end_phase(std::size_t barrier, std::uint64_t phase);
  void wait(unsigned thread, std::size_t barrier);
  /// For the products of the first so many commits.
  void wait_for_products(unsigned thread, std::uint64_t commits);

  /// A record of an access by the thread now.
  [[nodiscard]] Record now(unsigned thread, unsigned kind) const {
    return {serial_, thread, ticks_[thread], kind};
  }
  /// The same by a helper.
  [[nodiscard]] Record at(unsigned helper, std::uint64_t tick, unsigned kind) const {
    return {serial_, helper, static_cast<std::uint32_t>(tick), kind};
  }

  /// Whether all that the record of a write (or of reads) stands for comes before what the thread does now.
  [[nodiscard]] bool write_before(Record write, unsigned thread) const;
  [[nodiscard]] bool reads_before(Record reads, unsigned thread) const;

  /// The reads so far and one more now.
  [[nodiscard]] Record add_read(Record reads, unsigned thread);
  /// The same by a helper that was started by the thread. mine: its record, of kind one_thread.
  [[nodiscard]] Record add_helper_read(Record reads, Record mine, unsigned thread);
  /// The same of atomic accesses. write: atomic, or before.
  [[nodiscard]] Record add_atomic(Record write, unsigned thread) const;

  [[nodiscard]] bool of_running_block(Record record) const { return record.block() >= first_of_block_; }

 private:
  enum class Era : std::uint8_t { before, this_block, other_block };
  [[nodiscard]] Era era(Record record) const;
  [[nodiscard]] bool thread_before(unsigned other, std::uint32_t tick, unsigned thread) const;
  [[nodiscard]] bool knows_any(unsigned thread, unsigned first, unsigned count, std::uint32_t tick) const;
  [[nodiscard]] Record join_threads(Record reads, Record mine) const;
  [[nodiscard]] Record add_to_set(Record reads, Record mine);
  void start_serial();
  std::uint32_t* row(unsigned thread);

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

  // What is known by waiting for phases and products: ticks of helpers, then of threads, smaller ones of
  // which come before. A row for each thread; none until something of the kind is used.
  using Row = std::vector<std::uint32_t>;
  struct Phases {
    Row arrived;
    Row ended;
  };
  Row rows_;
  std::vector<Phases> phases_;  // by barrier

  // Readers of the same memory of whom some are helpers.
  std::vector<std::vector<Record>> sets_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Record> joined_;  // by what was joined
};

}  // namespace tpn::cuda_on_cpu::race
