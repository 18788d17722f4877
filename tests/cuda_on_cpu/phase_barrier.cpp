#include "tests/cuda_on_cpu/phase_barrier.h"

#include <algorithm>
#include <cstring>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/findings.h"
#include "tests/cuda_on_cpu/race_checker.h"

namespace tpn::cuda_on_cpu {

namespace {

constexpr std::size_t barrier_bytes = 8;
constexpr std::int64_t most_pending = (1 << 20) - 1;  // arrivals, and bytes to come or too many
constexpr std::uint64_t first_tag = 0x6d62617200000000U;

}  // namespace

/// message: gives the words. The block ends without unwinding the caller, who must therefore hold no memory.
template <class Message>
void PhaseBarriers::fail(const Message& message) {
  runner_.report(FindingKind::barrier_misuse, message());
  runner_.abort();
}

std::string PhaseBarriers::describe(const Barrier& barrier) const {
  return "the barrier in " + runner_.shared().describe(barrier.address);
}

void PhaseBarriers::init(void* at, int arrivals, const void* place) {
  if (!runner_.shared().valid(at, barrier_bytes))
    fail([&] { return std::string("initialises a barrier outside of shared memory"); });
  if (reinterpret_cast<std::uintptr_t>(at) % barrier_bytes != 0) {
    fail([&] {
      return "initialises a barrier that is not aligned to 8 bytes, in " + runner_.shared().describe(at);
    });
  }
  if (arrivals < 1 || arrivals > most_pending) {
    fail([&] { return "initialises a barrier for " + std::to_string(arrivals) + " arrivals"; });
  }
  auto* address = static_cast<std::byte*>(at);
  const bool again = std::any_of(barriers_.begin(), barriers_.end(),
                                 [&](const Barrier& other) { return other.address == address; });
  if (again)
    fail([&] { return "initialises the barrier in " + runner_.shared().describe(at) + " a second time"; });
  const unsigned thread = runner_.thread().linear;
  race::access(thread, at, barrier_bytes, race::Access::write, place);
  const std::uint64_t tag = first_tag + barriers_.size();
  std::memcpy(address, &tag, sizeof(tag));
  barriers_.push_back({address, thread, false, arrivals, arrivals, 0, 0, 0, 0, {}});
}

void PhaseBarriers::init_fence() {
  for (Barrier& barrier : barriers_) {
    if (barrier.owner == runner_.thread().linear) barrier.fenced = true;
  }
}

PhaseBarriers::Index PhaseBarriers::find(const void* at, const char* what, bool by_copy, const void* place) {
  if (!runner_.shared().valid(at, barrier_bytes)) {
    fail([&] { return std::string(what) + " a barrier outside of shared memory"; });
  }
  const unsigned thread = runner_.thread().linear;
  race::access(thread, at, barrier_bytes, race::Access::read, place);
  std::uint64_t tag = 0;
  std::memcpy(&tag, at, sizeof(tag));
  const Index index = tag - first_tag;
  if (index >= barriers_.size() || barriers_[index].address != at) {
    const bool was_one = std::any_of(barriers_.begin(), barriers_.end(),
                                     [at](const Barrier& other) { return other.address == at; });
    fail([&] {
      return std::string(what) + " a barrier that " +
             (was_one ? "was overwritten" : "nobody has initialised") + ", in " +
             runner_.shared().describe(at);
    });
  }
  const Barrier& barrier = barriers_[index];
  if (!barrier.fenced && (by_copy || barrier.owner != thread)) {
    runner_.report(FindingKind::barrier_misuse,
                   std::string(what) + " " + describe(barrier) + " without an init_fence of thread " +
                       std::to_string(barrier.owner) + ", which has initialised it");
  }
  return index;
}

PhaseBarriers::Index PhaseBarriers::for_copy(const void* at, const void* place) {
  return find(at, "names in a copy", true, place);
}

void PhaseBarriers::arrive(const void* at, int expected_bytes, const void* place) {
  runner_.let_others_run();
  const Index index = find(at, "arrives at", false, place);
  Barrier& barrier = barriers_[index];
  if (barrier.lacking == 0) {
    fail([&] {
      return "arrives at " + describe(barrier) + ", at which all " + std::to_string(barrier.arrivals) +
             " threads of the phase have arrived";
    });
  }
  if (expected_bytes < 0 || barrier.bytes + expected_bytes > most_pending) {
    fail([&] {
      return "expects " + std::to_string(barrier.bytes + expected_bytes) + " bytes at " + describe(barrier);
    });
  }
  barrier.bytes += expected_bytes;
  --barrier.lacking;
  race::arrived(runner_.thread().linear, index);
  end_phase_if_complete(index);
}

void PhaseBarriers::bytes_came(Index index, std::size_t bytes) {
  Barrier& barrier = barriers_[index];
  barrier.bytes -= static_cast<std::int64_t>(bytes);
  barrier.copy_phases = barrier.phase + 1;
  if (barrier.bytes < -most_pending) {
    runner_.report_of_block(
        FindingKind::barrier_misuse,
        std::to_string(-barrier.bytes) + " bytes more than were expected came at " + describe(barrier));
    runner_.abort();
  }
  end_phase_if_complete(index);
}

void PhaseBarriers::end_phase_if_complete(Index index) {
  Barrier& barrier = barriers_[index];
  if (barrier.lacking != 0 || barrier.bytes != 0) return;
  race::phase_ended(index, barrier.phase);
  ++barrier.phase;
  barrier.lacking = barrier.arrivals;
  for (const unsigned thread : barrier.waiting) runner_.wake(thread);
  barrier.waiting.clear();
}

void PhaseBarriers::wait(const void* at, int parity, const void* place) {
  runner_.let_others_run();
  const Index index = find(at, "waits at", false, place);
  if (parity != 0 && parity != 1)
    fail([&] { return "waits for a phase of parity " + std::to_string(parity); });
  // A thread that is woken so late that the next phase has ended too waits on, as it may on the machine.
  while (barriers_[index].phase % 2 == static_cast<unsigned>(parity)) {
    barriers_[index].waiting.push_back(runner_.thread().linear);
    runner_.wait_for(name_of_phase_wait);
  }
  Barrier& barrier = barriers_[index];
  barrier.phases_waited = std::max(barrier.phases_waited, barrier.phase);
  race::phase_waited(runner_.thread().linear, index);
}

void PhaseBarriers::end_block() {
  for (const Barrier& barrier : barriers_) {
    if (barrier.copy_phases > barrier.phases_waited) {
      runner_.report_of_block(FindingKind::unfinished_copy,
                              "ended without waiting for copies of boxes at " + describe(barrier));
    }
    if (barrier.bytes != 0) {
      runner_.report_of_block(FindingKind::barrier_misuse,
                              "ended when " +
                                  std::to_string(barrier.bytes > 0 ? barrier.bytes : -barrier.bytes) +
                                  (barrier.bytes > 0 ? " expected bytes had not come"
                                                     : " bytes had come that were not expected") +
                                  " at " + describe(barrier));
    }
  }
}

std::string PhaseBarriers::describe_waits() const {
  std::string text;
  for (const Barrier& barrier : barriers_) {
    if (barrier.waiting.empty()) continue;
    text += (text.empty() ? "" : "; ") + describe(barrier) + " is in phase " + std::to_string(barrier.phase) +
            ", which lacks " + std::to_string(barrier.lacking) + " of " + std::to_string(barrier.arrivals) +
            " arrivals and " + std::to_string(barrier.bytes) + " bytes";
  }
  return text;
}

void barrier_init(void* barrier, int arrivals) {
  BlockRunner::current()->barriers().init(barrier, arrivals, __builtin_return_address(0));
}
void barrier_init_fence() {
  BlockRunner::current()->barriers().init_fence();
}
void barrier_arrive(void* barrier, int expected_bytes) {
  BlockRunner::current()->barriers().arrive(barrier, expected_bytes, __builtin_return_address(0));
}
void barrier_wait(void* barrier, int parity) {
  BlockRunner::current()->barriers().wait(barrier, parity, __builtin_return_address(0));
}

}  // namespace tpn::cuda_on_cpu
