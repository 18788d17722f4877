#include "tests/cuda_on_cpu/block.h"

#include <algorithm>
#include <numeric>

#include <cuda_runtime.h>

#include "tests/cuda_on_cpu/findings.h"
#include "tests/cuda_on_cpu/race_checker.h"

constinit thread_local uint3 threadIdx{};
constinit thread_local uint3 blockIdx{};
constinit thread_local dim3 blockDim{};
constinit thread_local dim3 gridDim{};

namespace tpn::cuda_on_cpu {

namespace {

/// Where the linear index lies in a shape, x fastest.
uint3 position(std::uint64_t linear, const dim3& shape) {
  return {static_cast<unsigned>(linear % shape.x), static_cast<unsigned>(linear / shape.x % shape.y),
          static_cast<unsigned>(linear / shape.x / shape.y)};
}

/// "3 (4-6)" for the threads that fulfil the condition.
template <class Condition>
std::string list_threads(unsigned count, const Condition& condition) {
  std::string ranges;
  unsigned found = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (!condition(i)) continue;
    unsigned last = i;
    while (last + 1 < count && condition(last + 1)) ++last;
    if (ranges.size() < 60) {
      ranges += (ranges.empty() ? "" : ", ") + std::to_string(i);
      if (last > i) ranges += "-" + std::to_string(last);
    } else if (!ranges.ends_with("...")) {
      ranges += " ...";
    }
    found += last - i + 1;
    i = last;
  }
  return std::to_string(found) + " (" + ranges + ")";
}

}  // namespace

constinit thread_local BlockRunner* BlockRunner::running = nullptr;

BlockRunner::BlockRunner() : stacks_(max_threads), threads_(std::make_unique<DeviceThread[]>(max_threads)) {
  scheduler_.adopt_thread_stack();
  sanitizer::name_kernels_of_errors();
}

void BlockRunner::run_thread(void* runner) {
  auto& self = *static_cast<BlockRunner*>(runner);
  for (;;) {
    self.launch_->call->run();
    self.finish_thread();  // returns when another block needs this thread
  }
}

void BlockRunner::start_fiber(DeviceThread& thread) {
  thread.fiber.start(stacks_.top(thread.linear), StackPool::usable_bytes, &BlockRunner::run_thread, this);
}

void BlockRunner::prepare(const Launch& launch, std::uint64_t block) {
  launch_ = &launch;
  thread_count_ = launch.block.x * launch.block.y * launch.block.z;
  warp_count_ = (thread_count_ + lanes_per_warp - 1) / lanes_per_warp;
  finished_ = 0;
  aborted_ = false;
  queue_head_ = queue_size_ = 0;
  at_barrier_ = barrier_sum_ = 0;
  blockIdx = position(block, launch.grid);
  blockDim = launch.block;
  gridDim = launch.grid;
  shared_.begin_block(launch.shared_bytes);
  barriers_.begin_block();
  box_copies_.begin_block();
  warp_groups_.begin_block();

  for (unsigned i = 0; i < thread_count_; ++i) {
    DeviceThread& thread = threads_[i];
    thread.linear = i;
    thread.index = position(i, launch.block);
    thread.finished = false;
    thread.waits_for = nullptr;
    thread.products = {};
    if (i >= started_) start_fiber(thread);
  }
  started_ = std::max(started_, thread_count_);

  for (std::array<std::uint8_t, lanes_per_warp>& order : lane_orders_) {
    std::iota(order.begin(), order.end(), std::uint8_t{0});
    for (std::uint32_t i = lanes_per_warp; i > 1; --i) std::swap(order[i - 1], order[random_(i)]);
  }
  for (unsigned i = 0; i < warp_count_; ++i) {
    Warp& warp = warps_[i];
    const unsigned lanes = std::min(lanes_per_warp, thread_count_ - i * lanes_per_warp);
    warp.lanes = lanes == lanes_per_warp ? ~0U : (1U << lanes) - 1;
    warp.ready_count = 0;
    warp.queued = false;
    warp.collectives.clear();
  }
  current_warp_ = random_(warp_count_);
}

bool BlockRunner::run(const Launch& launch, std::uint64_t block, std::uint64_t seed) {
  random_.reseed(seed);
  running = this;
  prepare(launch, block);
  race::begin_block(*this);
  current_ = max_threads;  // none: all are made ready
  release_all();
  pick_next();
  threadIdx = thread().index;
  scheduler_.switch_to(thread().fiber);
  running = nullptr;
  if (finished_ == thread_count_) {
    barriers_.end_block();
    return true;
  }

  if (!aborted_) report_deadlock();
  for (unsigned i = 0; i < thread_count_; ++i) {
    if (threads_[i].finished) continue;
    threads_[i].copies.clear();
    start_fiber(threads_[i]);
  }
  return false;
}

void BlockRunner::enqueue(unsigned warp) {
  if (warps_[warp].queued) return;
  warps_[warp].queued = true;
  queue_[(queue_head_ + queue_size_++) % max_warps] = static_cast<std::uint8_t>(warp);
}

void BlockRunner::make_ready(Warp& warp, unsigned index, std::uint32_t lanes) {
  for (const std::uint8_t lane : lane_orders_[random_(static_cast<std::uint32_t>(lane_orders_.size()))]) {
    if ((lanes >> lane & 1U) != 0) warp.ready[warp.ready_count++] = lane;
  }
  if (index != current_warp_ && warp.ready_count != 0) enqueue(index);
}

void BlockRunner::release_all() {
  const unsigned offset = random_(warp_count_);
  const bool backwards = (random_() & 1U) != 0;
  for (unsigned i = 0; i < warp_count_; ++i) {
    const unsigned index = ((backwards ? warp_count_ - 1 - i : i) + offset) % warp_count_;
    std::uint32_t lanes = warps_[index].lanes;
    if (index == current_ / lanes_per_warp) lanes &= ~(1U << current_ % lanes_per_warp);
    make_ready(warps_[index], index, lanes);
  }
}

bool BlockRunner::pick_next() {
  const bool can_stay = warps_[current_warp_].ready_count != 0;
  const bool change = queue_size_ != 0 && (random_() & 7U) == 0;
  if (!can_stay || change) {
    if (queue_size_ == 0) return false;
    const unsigned next = queue_[queue_head_];
    queue_head_ = (queue_head_ + 1) % max_warps;
    --queue_size_;
    warps_[next].queued = false;
    if (can_stay) enqueue(current_warp_);
    current_warp_ = next;
  }
  Warp& warp = warps_[current_warp_];
  current_ = current_warp_ * lanes_per_warp + warp.ready[--warp.ready_count];
  return true;
}

/// Where no thread can go on, the end of a copy may let one.
bool BlockRunner::finish_copies_and_pick() {
  while (!pick_next()) {
    if (!box_copies_.finish_one(random_)) return false;
  }
  return true;
}

void BlockRunner::suspend() {
  DeviceThread& self = thread();
  if (!finish_copies_and_pick()) {
    self.fiber.switch_to(scheduler_);
  } else if (&thread() != &self) {
    threadIdx = thread().index;
    self.fiber.switch_to(thread().fiber);
  }
}

void BlockRunner::wait_for(const char* what) {
  DeviceThread& self = thread();
  self.waits_for = what;
  suspend();
  self.waits_for = nullptr;
}

void BlockRunner::wake(unsigned thread) {
  const unsigned warp = thread / lanes_per_warp;
  make_ready(warps_[warp], warp, 1U << thread % lanes_per_warp);
}

void BlockRunner::let_others_run() {
  const std::uint32_t choice = random_();
  if ((choice >> 8 & 3U) == 0) box_copies_.finish_one(random_);
  if ((choice >> 16 & 7U) != 0) return;
  // The calling lane goes on after all others of its warp that can.
  Warp& warp = warps_[current_warp_];
  std::copy_backward(warp.ready.begin(), warp.ready.begin() + warp.ready_count,
                     warp.ready.begin() + warp.ready_count + 1);
  warp.ready[0] = static_cast<std::uint8_t>(thread().lane());
  ++warp.ready_count;
  suspend();
}

void BlockRunner::finish_thread() {
  DeviceThread& self = thread();
  if (!self.copies.empty()) {
    report(FindingKind::unfinished_copy,
           "ended without waiting for its cp.async to " + shared_.describe(self.copies.first().shared));
    self.copies.clear();
  }
  if (self.products.finished < self.products.started) {
    report(FindingKind::unfinished_product, "ended without waiting for its wgmma products");
  }
  self.finished = true;
  ++finished_;
  suspend();
}

void BlockRunner::abort() {
  aborted_ = true;
  thread().fiber.switch_to(scheduler_);
  __builtin_unreachable();
}

unsigned BlockRunner::barrier(unsigned contribution) {
  barrier_sum_ += contribution;
  if (++at_barrier_ < thread_count_) {
    wait_for(name_of_block_wait);
    return barrier_result_;
  }
  barrier_result_ = barrier_sum_;
  at_barrier_ = barrier_sum_ = 0;
  race::barrier_done();
  release_all();
  return barrier_result_;
}

const Collective* BlockRunner::arrive(Warp& warp, std::uint32_t mask, const char* name, void* argument) {
  DeviceThread& self = thread();
  const std::uint32_t bit = 1U << self.lane();
  mask &= warp.lanes;
  if ((mask & bit) == 0) {
    report(FindingKind::divergent_collective,
           "calls " + std::string(name) + " with a mask without its own lane");
    abort();
  }
  auto found = std::find_if(warp.collectives.begin(), warp.collectives.end(),
                            [&](const Collective& other) { return (other.mask & mask) != 0; });
  if (found == warp.collectives.end()) {
    found = warp.collectives.insert(found, Collective{mask, 0, name});
  } else if (found->mask != mask || found->name != name) {
    report(FindingKind::divergent_collective, "calls " + std::string(name) +
                                                  " while other lanes of its warp wait in " + found->name +
                                                  " for lanes of the same mask");
    abort();
  }
  found->arrived |= bit;
  warp.arguments[self.lane()] = argument;
  if (found->arrived == mask) return &*found;
  wait_for(name);
  return nullptr;
}

void BlockRunner::release(Warp& warp, const Collective& collective) {
  const std::uint32_t others = collective.mask & ~(1U << thread().lane());
  warp.collectives.erase(warp.collectives.begin() + (&collective - warp.collectives.data()));
  make_ready(warp, current_warp_, others);
}

std::string BlockRunner::place(const std::string& threads) const {
  const auto text = [](const auto& at) {
    return "(" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) + ")";
  };
  return launch_->kernel + ", block " + text(blockIdx) + ", " + threads + ": ";
}

void BlockRunner::report(FindingKind kind, const std::string& what) {
  const Reporting reporting;
  const std::string thread_text = "thread (" + std::to_string(threadIdx.x) + "," +
                                  std::to_string(threadIdx.y) + "," + std::to_string(threadIdx.z) + ")";
  add_finding({kind, launch_->kernel, place(thread_text) + what});
}

void BlockRunner::report_of_block(FindingKind kind, const std::string& what) {
  const Reporting reporting;
  add_finding({kind, launch_->kernel, place("threads") + what});
}

void BlockRunner::report_deadlock() {
  const Reporting reporting;
  const auto waits = [this](const char* name) {
    return std::any_of(threads_.get(), threads_.get() + thread_count_,
                       [name](const DeviceThread& thread) { return thread.waits_for == name; });
  };
  FindingKind kind = FindingKind::divergent_collective;
  std::string waiting;
  for (unsigned i = 0; i < thread_count_; ++i) {
    const char* name = threads_[i].waits_for;
    if (name == nullptr || waiting.find(name) != std::string::npos) continue;
    waiting += (waiting.empty() ? "" : "; ") +
               list_threads(thread_count_, [&](unsigned j) { return threads_[j].waits_for == name; }) +
               " wait in " + name;
  }
  if (waits(name_of_phase_wait)) waiting += "; " + barriers_.describe_waits();
  if (finished_ != 0) {
    waiting +=
        "; " + list_threads(thread_count_, [&](unsigned j) { return threads_[j].finished; }) + " have ended";
  }
  // A group that waits for a warp keeps others waiting in barriers, rather than the other way round.
  if (!waits(name_of_group_wait)) {
    if (waits(name_of_block_wait)) kind = FindingKind::divergent_barrier;
    if (waits(name_of_phase_wait)) kind = FindingKind::endless_wait;
  }
  add_finding({kind, launch_->kernel, place("threads") + waiting});
}

}  // namespace tpn::cuda_on_cpu
