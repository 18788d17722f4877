#include "tests/cuda_on_cpu/race_checker.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <cuda_runtime.h>

#include "tests/cuda_on_cpu/clock.h"
#include "tests/cuda_on_cpu/device_heap.h"
#include "tests/cuda_on_cpu/findings.h"
#include "tests/cuda_on_cpu/memory.h"
#include "tests/cuda_on_cpu/places.h"
#include "tests/cuda_on_cpu/shadow.h"

namespace tpn::cuda_on_cpu::race {

namespace {

enum class Problem : std::uint8_t {
  none,
  no_memory,
  uninitialized,
  pending_copy,
  race_with_write,
  race_with_reads
};

/// What threads do to memory, with the two moments of copies. Products and copies of boxes are by helpers.
enum class Act : std::uint8_t { read, write, atomic, begin_copy, end_copy, product_read, begin_box, end_box };

struct Actor {
  unsigned thread;
  std::uint32_t place;
  std::size_t size;    // bytes of the whole access
  Record helper = {};  // its record, see Clock
};

bool lies_in(const void* address, const void* begin, std::size_t size) {
  return static_cast<std::size_t>(static_cast<const std::byte*>(address) -
                                  static_cast<const std::byte*>(begin)) < size;
}

/// Blocks run on one thread of the CPU in this build, and nothing here is locked.
class Checker {
 public:
  Checker() : global_(heap_begin(), heap_bytes) {}

  void watch_shared(const void* memory, std::size_t size) { shared_.emplace(memory, size); }
  [[nodiscard]] Shadow& shared() { return *shared_; }
  [[nodiscard]] Shadow& global() { return global_; }
  [[nodiscard]] Clock& clock() { return clock_; }

  void begin_block(BlockRunner& runner) {
    runner_ = &runner;
    const dim3& block = runner.launch().block;
    clock_.begin_block(block.x * block.y * block.z);
  }

  void access(const void* address, Act act, const Actor& actor) {
    if (shared_->contains(address)) {
      check(*shared_, shared_->offset(address), act, actor);
    } else if (global_.contains(address)) {
      check(global_, global_.offset(address), act, actor);
    } else if (!runner_->stacks().contains(address)) {
      check_other_memory(address, act, actor);
    }
  }

 private:
  void check(Shadow& shadow, std::size_t offset, Act act, const Actor& actor);
  Problem check_cell(const Shadow& shadow, Cell& cell, Act act, const Actor& actor);
  Problem check_bytes(Shadow& shadow, std::size_t offset, std::size_t count, Act act, const Actor& actor,
                      Cell& before);
  [[nodiscard]] Problem problem_of_write(Record write, Act act) const;
  void check_other_memory(const void* address, Act act, const Actor& actor);
  void report(const Shadow& shadow, std::size_t offset, Act act, const Actor& actor, Problem problem,
              const Word& word, const Cell& before);
  [[nodiscard]] std::string describe_other(Record record, bool is_write) const;
  void add(FindingKind kind, const Actor& actor, std::uint32_t other_place, Act act, const std::string& what);

  std::optional<Shadow> shared_;
  Shadow global_;
  Clock clock_;
  BlockRunner* runner_ = nullptr;
};

Checker& checker() {
  static Checker instance;
  return instance;
}

/// Where the write does not come before what is done now.
Problem Checker::problem_of_write(Record write, Act act) const {
  const bool pending = write.kind() == Record::pending_copy;
  if (act == Act::atomic && write.kind() != Record::plain && !pending) return Problem::none;
  const bool reads = act == Act::read || act == Act::product_read;
  const bool is_copy = pending || (reads && is_copies(write.thread()));
  return is_copy && clock_.of_running_block(write) ? Problem::pending_copy : Problem::race_with_write;
}

Problem Checker::check_cell(const Shadow& shadow, Cell& cell, Act act, const Actor& actor) {
  const unsigned thread = actor.thread;
  if (cell.write == no_memory) return Problem::no_memory;
  if (act == Act::end_copy || act == Act::end_box) {  // what came between was found there
    cell = {act == Act::end_box ? actor.helper : clock_.now(thread, Record::plain), {}};
    return Problem::none;
  }
  Problem problem = Problem::none;
  if (cell.write == never_written) {
    const bool reads = act == Act::read || act == Act::atomic || act == Act::product_read;
    if (reads && &shadow == &*shared_) problem = Problem::uninitialized;
  } else if (!clock_.write_before(cell.write, thread)) {
    problem = problem_of_write(cell.write, act);
  }
  if (act == Act::read || act == Act::product_read) {
    cell.read = act == Act::read ? clock_.add_read(cell.read, thread)
                                 : clock_.add_helper_read(cell.read, actor.helper, thread);
    return problem;
  }
  if (problem == Problem::none && !cell.read.none() && !clock_.reads_before(cell.read, thread)) {
    problem = Problem::race_with_reads;
  }
  switch (act) {
    case Act::atomic:
      cell.write = clock_.add_atomic(cell.write, thread);
      break;
    case Act::begin_copy:
      cell.write = clock_.now(thread, Record::pending_copy);
      break;
    case Act::begin_box:
      cell.write = actor.helper;
      break;
    default:
      cell.write = clock_.now(thread, Record::plain);
  }
  cell.read = {};
  return problem;
}

Problem Checker::check_bytes(Shadow& shadow, std::size_t offset, std::size_t count, Act act,
                             const Actor& actor, Cell& before) {
  shadow.split_word(offset);
  Problem problem = Problem::none;
  for (std::size_t i = 0; i < count; ++i) {
    Cell& cell = shadow.bytes(offset)[(offset + i) % 4];
    const Cell old = cell;
    const Problem found = check_cell(shadow, cell, act, actor);
    if (problem == Problem::none && found != Problem::none) {
      problem = found;
      before = old;
    }
  }
  shadow.join_word(offset);
  return problem;
}

void Checker::check(Shadow& shadow, std::size_t offset, Act act, const Actor& actor) {
  const std::size_t end = offset + actor.size;
  bool told = false;  // one finding for an access is enough
  Cell last_before;   // neighbouring words are mostly alike
  Cell last_after;
  for (std::size_t at = offset; at < end;) {
    Word& word = shadow.word(at);
    const std::size_t count = std::min(4 - at % 4, end - at);
    Cell before = word.cell;
    Problem problem = Problem::none;
    if (count < 4 || before.write == split) {
      problem = check_bytes(shadow, at, count, act, actor, before);
    } else if (!last_before.write.none() && before == last_before) {
      word.cell = last_after;
    } else {
      problem = check_cell(shadow, word.cell, act, actor);
      last_before = before;
      last_after = word.cell;
    }
    if (problem != Problem::none && !std::exchange(told, true)) {
      report(shadow, at, act, actor, problem, word, before);
      if (problem == Problem::no_memory) runner_->abort();
    }
    (act == Act::read || act == Act::product_read ? word.read_place : word.write_place) = actor.place;
    at += count;
  }
}

const char* verb(Act act) {
  switch (act) {
    case Act::read:
      return "read";
    case Act::write:
      return "write";
    case Act::atomic:
      return "atomic operation";
    case Act::begin_copy:
      return "cp.async";
    case Act::end_copy:
      return "end of a cp.async";
    case Act::product_read:
      return "wgmma's read";
    case Act::begin_box:
      return "copy of a box, among it";
    case Act::end_box:
      return "end of a copy of a box";
  }
  return "access";
}

/// "thread 3", or what acts for threads.
std::string describe_actor(unsigned thread) {
  if (is_copies(thread)) return "a copy of a box";
  if (is_products(thread)) return "wgmma of warp group " + std::to_string(thread - max_threads);
  return "thread " + std::to_string(thread);
}

std::string Checker::describe_other(Record record, bool is_write) const {
  if (!clock_.of_running_block(record))
    return "thread " + std::to_string(record.thread()) + " of another block";
  if (is_write) {
    return record.kind() == Record::many_atomics ? "several threads" : describe_actor(record.thread());
  }
  switch (record.kind()) {
    case Record::one_thread:
      return describe_actor(record.thread());
    case Record::one_warp:
      return "several threads of warp " + std::to_string(record.thread());
    case Record::one_block:
      return record.is_set() ? "wgmma and other threads, or several warp groups" : "threads of several warps";
    default:
      return "several blocks";
  }
}

void Checker::add(FindingKind kind, const Actor& actor, std::uint32_t other_place, Act act,
                  const std::string& what) {
  const std::string key = std::to_string(static_cast<int>(kind)) + runner_->launch().kernel + "@" +
                          std::to_string(actor.place) + "@" + std::to_string(other_place);
  if (!is_new(key)) return;
  const dim3& block = runner_->launch().block;
  const unsigned x = actor.thread % block.x;
  const unsigned y = actor.thread / block.x % block.y;
  const unsigned z = actor.thread / block.x / block.y;
  std::string message = runner_->launch().kernel + ", block (" + std::to_string(blockIdx.x) + "," +
                        std::to_string(blockIdx.y) + "," + std::to_string(blockIdx.z) + "), thread (" +
                        std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) +
                        "): " + verb(act) + " of " + std::to_string(actor.size) + " bytes in " +
                        describe_place(actor.place) + ", " + what;
  if (other_place != 0) message += " in " + describe_place(other_place);
  add_finding({kind, runner_->launch().kernel, std::move(message)}, key);
}

void Checker::report(const Shadow& shadow, std::size_t offset, Act act, const Actor& actor, Problem problem,
                     const Word& word, const Cell& before) {
  const Reporting reporting;
  const bool is_shared = &shadow == &*shared_;
  const std::byte* address = shadow.address(offset);
  const std::string where =
      is_shared ? runner_->shared().describe(address) : describe_device_address(address);
  const auto kind_of_race = [&](Record other) {
    if (is_shared) return FindingKind::race_in_shared_memory;
    return clock_.of_running_block(other) && other.kind() != Record::many_blocks
               ? FindingKind::race_in_block
               : FindingKind::race_between_blocks;
  };
  switch (problem) {
    case Problem::none:
      return;
    case Problem::no_memory:
      add(is_shared ? FindingKind::shared_out_of_bounds : FindingKind::global_out_of_bounds, actor, 0, act,
          where);
      return;
    case Problem::uninitialized:
      add(FindingKind::uninitialized_shared_read, actor, 0, act, where + ", which nobody has written");
      return;
    case Problem::pending_copy:
      add(FindingKind::copy_read_before_wait, actor, word.write_place, act,
          where + (is_copies(before.write.thread())
                       ? ", the destination of a copy of a box not waited for"
                       : ", the destination of a cp.async not waited for by thread " +
                             std::to_string(before.write.thread())));
      return;
    case Problem::race_with_write:
      add(kind_of_race(before.write), actor, word.write_place, act,
          where + ", written without a barrier between by " + describe_other(before.write, true));
      return;
    case Problem::race_with_reads:
      add(kind_of_race(before.read), actor, word.read_place, act,
          where + ", read without a barrier between by " + describe_other(before.read, false));
      return;
  }
}

void Checker::check_other_memory(const void* address, Act act, const Actor& actor) {
  if (act == Act::read) {
    const KernelCall* call = runner_->launch().call.get();
    if (lies_in(address, call, runner_->launch().call->size())) return;  // the kernel's arguments
    if (lies_in(address, &threadIdx, sizeof(threadIdx)) || lies_in(address, &blockIdx, sizeof(blockIdx)) ||
        lies_in(address, &blockDim, sizeof(blockDim)) || lies_in(address, &gridDim, sizeof(gridDim))) {
      return;
    }
    if (is_in_program(address)) return;  // constants
  }
  {
    const Reporting reporting;
    add(FindingKind::host_memory_access, actor, 0, act,
        find_allocation(address).has_value() ? "pinned memory of the host" : "memory of the host");
  }
  runner_->abort();
}

}  // namespace

void watch_shared(const void* memory, std::size_t size) {
  checker().watch_shared(memory, size);
}
void declare_shared(const void* address, std::size_t size) {
  checker().shared().set(address, size, never_written);
}
void forget_shared(const void* address, std::size_t size) {
  checker().shared().set(address, size, no_memory);
}
void declare_global(const void* address, std::size_t size) {
  checker().global().set(address, size, never_written);
}
void forget_global(const void* address, std::size_t size) {
  checker().global().set(address, size, no_memory);
}

void begin_launch() {
  checker().clock().begin_launch();
}
void begin_block(BlockRunner& runner) {
  checker().begin_block(runner);
}
void barrier_done() {
  checker().clock().barrier();
}
void warp_barrier_done(unsigned warp, std::uint32_t mask) {
  checker().clock().warp_barrier(warp, mask);
}

void access(unsigned thread, const void* address, std::size_t size, Access kind, const void* place) {
  const Act act = kind == Access::read ? Act::read : kind == Access::write ? Act::write : Act::atomic;
  checker().access(address, act, {thread, place_of(place), size});
}
void copy_begins(unsigned thread, const void* shared, std::size_t size, const void* place) {
  checker().access(shared, Act::begin_copy, {thread, place_of(place), size});
}
void copy_ends(unsigned thread, const void* shared, std::size_t size, const void* place) {
  checker().access(shared, Act::end_copy, {thread, place_of(place), size});
}

void arrived(unsigned thread, std::size_t barrier) {
  checker().clock().arrive(thread, barrier);
}
void phase_ended(std::size_t barrier, std::uint64_t phase) {
  checker().clock().end_phase(barrier, phase);
}
void phase_waited(unsigned thread, std::size_t barrier) {
  checker().clock().wait(thread, barrier);
}
void box_copy_begins(unsigned thread, std::size_t barrier, std::uint64_t phase, const void* shared,
                     std::size_t size, const void* place) {
  const Record record = checker().clock().at(copies_at(barrier), phase, Record::pending_copy);
  checker().access(shared, Act::begin_box, {thread, place_of(place), size, record});
}
void box_copy_ends(unsigned thread, std::size_t barrier, std::uint64_t phase, const void* shared,
                   std::size_t size, const void* place) {
  const Record record = checker().clock().at(copies_at(barrier), phase, Record::plain);
  checker().access(shared, Act::end_box, {thread, place_of(place), size, record});
}
void product_reads(unsigned thread, std::uint64_t commits, const void* shared, std::size_t size,
                   const void* place) {
  const Record record = checker().clock().at(products_of(thread), commits, Record::one_thread);
  checker().access(shared, Act::product_read, {thread, place_of(place), size, record});
}
void products_waited(unsigned thread, std::uint64_t commits) {
  checker().clock().wait_for_products(thread, commits);
}

}  // namespace tpn::cuda_on_cpu::race
