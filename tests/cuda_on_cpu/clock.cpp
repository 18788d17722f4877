#include "tests/cuda_on_cpu/clock.h"

#include <algorithm>
#include <utility>

namespace tpn::cuda_on_cpu::race {

namespace {

unsigned warp_of(unsigned thread) {
  return thread / lanes_per_warp;
}
unsigned lane_of(unsigned thread) {
  return thread % lanes_per_warp;
}

/// Where a row tells of a thread or helper.
std::size_t column(unsigned thread) {
  return thread >= max_threads ? thread - max_threads : helpers + thread;
}

void raise(std::vector<std::uint32_t>& to, const std::uint32_t* from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = std::max(to[i], from[i]);
}

}  // namespace

void Clock::start_serial() {
  serial_ = next_serial_++;
  tick_ = 1;
  barrier_tick_ = 0;
  std::fill_n(ticks_.begin(), threads_, tick_);
  warp_ticks_.fill(0);
  rows_.clear();
  phases_.clear();
  sets_.clear();
  joined_.clear();
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
  if (rows_.empty()) return;
  Row all(helpers);
  for (unsigned thread = 0; thread < threads_; ++thread) raise(all, row(thread));
  for (unsigned thread = 0; thread < threads_; ++thread) std::copy(all.begin(), all.end(), row(thread));
}

std::uint32_t* Clock::row(unsigned thread) {
  const std::size_t columns = helpers + threads_;
  if (rows_.empty()) rows_.resize(threads_ * columns);
  return rows_.data() + thread * columns;
}

void Clock::arrive(unsigned thread, std::size_t barrier) {
  Row mine(row(thread), row(thread) + helpers + threads_);
  for (unsigned i = 0; i < threads_; ++i) mine[column(i)] = std::max(mine[column(i)], barrier_tick_);
  const unsigned warp = warp_of(thread);
  const unsigned first = warp * lanes_per_warp;
  for (unsigned i = first; i < std::min(first + lanes_per_warp, threads_); ++i) {
    mine[column(i)] =
        std::max({mine[column(i)], warp_ticks_[warp], known_[warp][lane_of(thread)][lane_of(i)]});
  }
  mine[column(thread)] = ticks_[thread] + 1;
  if (phases_.size() <= barrier) phases_.resize(barrier + 1);
  Phases& phases = phases_[barrier];
  phases.arrived.resize(mine.size());
  raise(phases.arrived, mine.data());
  if (ticks_[thread] < Record::max_tick) ++ticks_[thread];
  tick_ = std::max(tick_, ticks_[thread]);
}

void Clock::end_phase(std::size_t barrier, std::uint64_t phase) {
  if (phases_.size() <= barrier) phases_.resize(barrier + 1);
  Phases& phases = phases_[barrier];
  phases.arrived.resize(helpers + threads_);
  phases.arrived[column(copies_at(barrier))] = static_cast<std::uint32_t>(phase) + 1;
  phases.ended = phases.arrived;
}

void Clock::wait(unsigned thread, std::size_t barrier) {
  if (phases_.size() <= barrier) return;
  std::uint32_t* mine = row(thread);
  const Row& ended = phases_[barrier].ended;
  for (std::size_t i = 0; i < ended.size(); ++i) mine[i] = std::max(mine[i], ended[i]);
}

void Clock::wait_for_products(unsigned thread, std::uint64_t commits) {
  std::uint32_t& known = row(thread)[column(products_of(thread))];
  known = std::max(known, static_cast<std::uint32_t>(commits));
}

void Clock::warp_barrier(unsigned warp, std::uint32_t mask) {
  if (tick_ < Record::max_tick) ++tick_;
  const unsigned first = warp * lanes_per_warp;
  const unsigned lanes = std::min(lanes_per_warp, threads_ - first);
  const bool all = mask == (lanes == lanes_per_warp ? ~0U : (1U << lanes) - 1);
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if ((mask >> lane & 1U) != 0) ticks_[first + lane] = tick_;
  }
  if (!rows_.empty()) {
    Row together(helpers + threads_);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      if ((mask >> lane & 1U) != 0) raise(together, row(first + lane));
    }
    for (unsigned lane = 0; lane < lanes; ++lane) {
      if ((mask >> lane & 1U) != 0) std::copy(together.begin(), together.end(), row(first + lane));
    }
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
  if (other == thread || knows_any(thread, other, 1, tick)) return true;
  if (other >= max_threads) return false;
  if (tick < barrier_tick_) return true;
  const unsigned warp = warp_of(thread);
  if (warp_of(other) != warp) return false;
  return tick < warp_ticks_[warp] || tick < known_[warp][lane_of(thread)][lane_of(other)];
}

/// Whether the thread knows by phases or products of any of `count` others.
bool Clock::knows_any(unsigned thread, unsigned first, unsigned count, std::uint32_t tick) const {
  if (rows_.empty()) return false;
  const std::uint32_t* known = rows_.data() + thread * (helpers + threads_) + column(first);
  return std::any_of(known, known + count, [tick](std::uint32_t other) { return tick < other; });
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
      // Which lanes read is not remembered: no race where any of the others may be the one that is known.
      if (reads.tick() < barrier_tick_) return true;
      if (reads.thread() != warp) {
        const unsigned first = reads.thread() * lanes_per_warp;
        return knows_any(thread, first, std::min(lanes_per_warp, threads_ - first), reads.tick());
      }
      const auto& known = known_[warp][lane_of(thread)];
      return reads.tick() < warp_ticks_[warp] ||
             (has_parts_[warp] && reads.tick() < *std::max_element(known.begin(), known.end()));
    }
    case Record::one_block:
      if (reads.is_set()) {
        const std::vector<Record>& set = sets_[reads.tick()];
        return std::all_of(set.begin(), set.end(), [&](Record one) { return reads_before(one, thread); });
      }
      return reads.tick() < barrier_tick_ || knows_any(thread, 0, threads_, reads.tick());
    default:
      return false;
  }
}

Record Clock::add_read(Record reads, unsigned thread) {
  const Record mine = now(thread, Record::one_thread);
  if (reads.none() || reads_before(reads, thread)) return mine;
  if (era(reads) == Era::other_block || reads.kind() == Record::many_blocks) {
    return {serial_, 0, 0, Record::many_blocks};
  }
  const bool has_helpers =
      reads.is_set() || (reads.kind() == Record::one_thread && reads.thread() >= max_threads);
  return has_helpers ? add_to_set(reads, mine) : join_threads(reads, mine);
}

Record Clock::add_helper_read(Record reads, Record mine, unsigned thread) {
  if (reads.none() || reads == mine || reads_before(reads, thread)) return mine;
  if (era(reads) == Era::other_block) return {serial_, 0, 0, Record::many_blocks};
  return add_to_set(reads, mine);
}

/// mine: of one thread.
Record Clock::join_threads(Record reads, Record mine) const {
  const unsigned warp = warp_of(mine.thread());
  const std::uint32_t tick = std::max(reads.tick(), mine.tick());
  const bool same_warp = (reads.kind() == Record::one_thread && warp_of(reads.thread()) == warp) ||
                         (reads.kind() == Record::one_warp && reads.thread() == warp);
  return same_warp ? Record(serial_, warp, tick, Record::one_warp)
                   : Record(serial_, 0, tick, Record::one_block);
}

/// A set has one record of each helper and one of all threads.
Record Clock::add_to_set(Record reads, Record mine) {
  const auto [known, is_new] = joined_.try_emplace({reads.bits(), mine.bits()});
  if (!is_new) return known->second;
  std::vector<Record> set = reads.is_set() ? sets_[reads.tick()] : std::vector<Record>{reads};
  const auto is_helper = [](Record one) {
    return one.kind() == Record::one_thread && one.thread() >= max_threads;
  };
  const auto same = std::find_if(set.begin(), set.end(), [&](Record one) {
    return is_helper(mine) ? is_helper(one) && one.thread() == mine.thread() : !is_helper(one);
  });
  if (same == set.end()) {
    set.push_back(mine);
  } else if (!is_helper(mine)) {
    *same = join_threads(*same, mine);
  } else if (same->tick() < mine.tick()) {
    *same = mine;
  }
  if (sets_.size() > Record::max_tick) return mine;
  known->second = {serial_, 1, static_cast<std::uint32_t>(sets_.size()), Record::one_block};
  sets_.push_back(std::move(set));
  return known->second;
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
