#include "tests/cuda_on_cpu/clock.h"

#include <algorithm>

namespace tpn::cuda_on_cpu::race {

namespace {

unsigned warp_of(unsigned thread) {
  return thread / lanes_per_warp;
}
unsigned lane_of(unsigned thread) {
  return thread % lanes_per_warp;
}

}  // namespace

void Clock::start_serial() {
  serial_ = next_serial_++;
  tick_ = 1;
  barrier_tick_ = 0;
  std::fill_n(ticks_.begin(), threads_, tick_);
  warp_ticks_.fill(0);
  for (unsigned warp = 0; warp < max_warps; ++warp) {
    if (!has_parts_[warp]) continue;
    known_[warp] = {};
    has_parts_[warp] = false;
  }
}

void Clock::begin_block(unsigned threads) {
  threads_ = threads;
  first_of_block_ = next_serial_;
  start_serial();
}

void Clock::barrier() {
  // Long before ticks run out, a barrier starts a new count: all of the older serial comes before.
  if (tick_ > Record::max_tick / 2) {
    start_serial();
    return;
  }
  barrier_tick_ = ++tick_;
  std::fill_n(ticks_.begin(), threads_, tick_);
}

void Clock::warp_barrier(unsigned warp, std::uint32_t mask) {
  if (tick_ < Record::max_tick) ++tick_;
  const unsigned first = warp * lanes_per_warp;
  const unsigned lanes = std::min(lanes_per_warp, threads_ - first);
  const bool all = mask == (lanes == lanes_per_warp ? ~0U : (1U << lanes) - 1);
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if ((mask >> lane & 1U) != 0) ticks_[first + lane] = tick_;
  }
  if (all) {
    warp_ticks_[warp] = tick_;
    return;
  }
  has_parts_[warp] = true;
  std::array<std::uint32_t, lanes_per_warp> together{};
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    together[lane] = tick_;
    for (unsigned other = 0; other < lanes; ++other) {
      together[other] = std::max(together[other], known_[warp][lane][other]);
    }
  }
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if ((mask >> lane & 1U) != 0) known_[warp][lane] = together;
  }
}

Clock::Era Clock::era(Record record) const {
  if (record.block() == serial_) return Era::this_block;
  if (record.block() < first_of_launch_ || record.block() >= first_of_block_) return Era::before;
  return Era::other_block;
}

bool Clock::thread_before(unsigned other, std::uint32_t tick, unsigned thread) const {
  if (other == thread || tick < barrier_tick_) return true;
  const unsigned warp = warp_of(thread);
  if (warp_of(other) != warp) return false;
  return tick < warp_ticks_[warp] || tick < known_[warp][lane_of(thread)][lane_of(other)];
}

bool Clock::write_before(Record write, unsigned thread) const {
  if (const Era when = era(write); when != Era::this_block) return when == Era::before;
  if (write.kind() == Record::pending_copy) return false;
  if (write.kind() == Record::many_atomics) return write.thread() == 0 && write.tick() < barrier_tick_;
  return thread_before(write.thread(), write.tick(), thread);
}

bool Clock::reads_before(Record reads, unsigned thread) const {
  if (const Era when = era(reads); when != Era::this_block) return when == Era::before;
  const unsigned warp = warp_of(thread);
  switch (reads.kind()) {
    case Record::one_thread:
      return thread_before(reads.thread(), reads.tick(), thread);
    case Record::one_warp: {
      if (reads.tick() < barrier_tick_) return true;
      if (reads.thread() != warp) return false;
      // Which lanes read is not remembered: no race where any of the others may be the one that is known.
      const auto& known = known_[warp][lane_of(thread)];
      return reads.tick() < warp_ticks_[warp] ||
             (has_parts_[warp] && reads.tick() < *std::max_element(known.begin(), known.end()));
    }
    case Record::one_block:
      return reads.tick() < barrier_tick_;
    default:
      return false;
  }
}

Record Clock::add_read(Record reads, unsigned thread) const {
  const Record mine = now(thread, Record::one_thread);
  if (reads.none() || reads_before(reads, thread)) return mine;
  if (era(reads) == Era::other_block || reads.kind() == Record::many_blocks) {
    return {serial_, 0, 0, Record::many_blocks};
  }
  const std::uint32_t tick = std::max(reads.tick(), mine.tick());
  const bool same_warp = (reads.kind() == Record::one_thread && warp_of(reads.thread()) == warp_of(thread)) ||
                         (reads.kind() == Record::one_warp && reads.thread() == warp_of(thread));
  return same_warp ? Record(serial_, warp_of(thread), tick, Record::one_warp)
                   : Record(serial_, 0, tick, Record::one_block);
}

Record Clock::add_atomic(Record write, unsigned thread) const {
  const Record mine = now(thread, Record::atomic);
  const bool was_atomic = write.kind() == Record::atomic || write.kind() == Record::many_atomics;
  if (write.block() == 0 || !was_atomic || write_before(write, thread)) return mine;
  const bool blocks =
      era(write) == Era::other_block || (write.kind() == Record::many_atomics && write.thread() == 1);
  return {serial_, blocks ? 1U : 0U, std::max(write.tick(), mine.tick()), Record::many_atomics};
}

}  // namespace tpn::cuda_on_cpu::race
