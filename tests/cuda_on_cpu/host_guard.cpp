#include "tests/cuda_on_cpu/host_guard.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "tests/cuda_on_cpu/findings.h"
#include "tests/cuda_on_cpu/memory.h"
#include "tests/cuda_on_cpu/sanitizer.h"

namespace tpn::cuda_on_cpu {

namespace {

struct Guarded {
  std::byte* begin;
  std::size_t size;
};

std::mutex mutex;
std::vector<Guarded> guarded;
struct sigaction previous_action;

std::byte* page_of(std::byte* address) {
  return address - reinterpret_cast<std::uintptr_t>(address) % page;
}

void protect(const Guarded& range, int protection) {
  std::byte* first = page_of(range.begin);
  mprotect(first, static_cast<std::size_t>(page_of(range.begin + range.size - 1) + page - first), protection);
}

/// Pinned memory has pages of its own, so a touch of a guarded page is one of its allocation. It is let
/// through, and told where it hit bytes of a copy. (The thread that faults holds no lock: memory is touched
/// by the program's code.)
bool handle_touch(std::byte* address) {
  const std::lock_guard lock(mutex);
  const auto found = std::find_if(guarded.begin(), guarded.end(), [address](const Guarded& range) {
    return address >= page_of(range.begin) && address < page_of(range.begin + range.size - 1) + page;
  });
  if (found == guarded.end()) return false;
  protect(*found, PROT_READ | PROT_WRITE);
  if (address >= found->begin && address < found->begin + found->size) {
    add_finding({FindingKind::host_access_before_copy_end, "",
                 "the host touched byte " + std::to_string(address - found->begin) + " of " +
                     std::to_string(found->size) +
                     " that an unfinished cudaMemcpyAsync will write: it must wait for the stream first"});
  }
  return true;
}

void on_fault(int signal, siginfo_t* info, void* context) {
  auto* const address = static_cast<std::byte*>(info->si_addr);
  if (handle_touch(address) || handle_touch_of_other_device(address)) return;
  if ((previous_action.sa_flags & SA_SIGINFO) != 0 && previous_action.sa_sigaction != nullptr) {
    previous_action.sa_sigaction(signal, info, context);
    return;
  }
  sigaction(signal, &previous_action, nullptr);  // the instruction is repeated, and ends the program
}

}  // namespace

void install_fault_handler() {
  static const bool installed = [] {
    struct sigaction action = {};
    action.sa_sigaction = &on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    return sigaction(SIGSEGV, &action, &previous_action) == 0;
  }();
  static_cast<void>(installed);
}

// The address sanitizer's heap has other things on the same pages, but watches single bytes itself.

void guard_host_memory(std::byte* begin, std::size_t size) {
  if constexpr (sanitizer::checks_addresses) {
    sanitizer::poison(begin, size);
    return;
  }
  install_fault_handler();
  const std::lock_guard lock(mutex);
  guarded.push_back({begin, size});
  protect(guarded.back(), PROT_NONE);
}

void release_host_memory(std::byte* begin, std::size_t size) {
  if (size == 0) return;
  if constexpr (sanitizer::checks_addresses) {
    sanitizer::unpoison(begin, size);
    return;
  }
  const std::lock_guard lock(mutex);
  const auto found = std::find_if(guarded.begin(), guarded.end(), [&](const Guarded& range) {
    return range.begin == begin && range.size == size;
  });
  if (found == guarded.end()) return;
  protect(*found, PROT_READ | PROT_WRITE);
  guarded.erase(found);
}

}  // namespace tpn::cuda_on_cpu
