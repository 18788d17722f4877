// The functions that -fsanitize=thread lets kernels call before each access to memory. The compiler's own
// library of that name is not linked; here they lead to the race checker. Code of the host may call them too,
// to no effect.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/findings.h"
#include "tests/cuda_on_cpu/race_checker.h"

namespace {

using tpn::cuda_on_cpu::BlockRunner;
using tpn::cuda_on_cpu::FindingKind;
using tpn::cuda_on_cpu::Reporting;
namespace race = tpn::cuda_on_cpu::race;

void check(const void* address, std::size_t size, race::Access kind, const void* place) {
  BlockRunner* runner = BlockRunner::current();
  if (runner != nullptr && !Reporting::active())
    race::access(runner->thread().linear, address, size, kind, place);
}

/// An access that the machine does at once, and which therefore needs alignment. Of 16 bytes compilers tell
/// in the same way where they know of an alignment to 8, as of a structure that is copied; vectors of 16
/// bytes are checked where they are loaded and stored (load_vector in kernels/cuda/device.cuh).
void check_aligned(const void* address, std::size_t size, race::Access kind, const void* place) {
  BlockRunner* runner = BlockRunner::current();
  if (runner == nullptr || Reporting::active()) return;
  if (reinterpret_cast<std::uintptr_t>(address) % std::min<std::size_t>(size, 8) != 0) {
    runner->report(FindingKind::misaligned_access,
                   "access of " + std::to_string(size) + " bytes at an address that is no multiple of it");
    runner->abort();
  }
  race::access(runner->thread().linear, address, size, kind, place);
}

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier,bugprone-macro-parentheses,readability-identifier-naming)
#define TPN_ACCESS(size)                                                            \
  void __tsan_read##size(void* address) {                                           \
    check_aligned(address, size, race::Access::read, __builtin_return_address(0));  \
  }                                                                                 \
  void __tsan_write##size(void* address) {                                          \
    check_aligned(address, size, race::Access::write, __builtin_return_address(0)); \
  }                                                                                 \
  void __tsan_unaligned_read##size(void* address) {                                 \
    check(address, size, race::Access::read, __builtin_return_address(0));          \
  }                                                                                 \
  void __tsan_unaligned_write##size(void* address) {                                \
    check(address, size, race::Access::write, __builtin_return_address(0));         \
  }

// What std::atomic becomes; only the host uses it, kernels have CUDA's functions.
#define TPN_ATOMIC(bits, type)                                                                               \
  type __tsan_atomic##bits##_load(const volatile type* address, int) {                                       \
    return __atomic_load_n(address, 5);                                                                      \
  }                                                                                                          \
  void __tsan_atomic##bits##_store(volatile type* address, type value, int) {                                \
    __atomic_store_n(address, value, 5);                                                                     \
  }                                                                                                          \
  type __tsan_atomic##bits##_exchange(volatile type* address, type value, int) {                             \
    return __atomic_exchange_n(address, value, 5);                                                           \
  }                                                                                                          \
  type __tsan_atomic##bits##_fetch_add(volatile type* address, type value, int) {                            \
    return __atomic_fetch_add(address, value, 5);                                                            \
  }                                                                                                          \
  type __tsan_atomic##bits##_fetch_sub(volatile type* address, type value, int) {                            \
    return __atomic_fetch_sub(address, value, 5);                                                            \
  }                                                                                                          \
  type __tsan_atomic##bits##_fetch_and(volatile type* address, type value, int) {                            \
    return __atomic_fetch_and(address, value, 5);                                                            \
  }                                                                                                          \
  type __tsan_atomic##bits##_fetch_or(volatile type* address, type value, int) {                             \
    return __atomic_fetch_or(address, value, 5);                                                             \
  }                                                                                                          \
  type __tsan_atomic##bits##_fetch_xor(volatile type* address, type value, int) {                            \
    return __atomic_fetch_xor(address, value, 5);                                                            \
  }                                                                                                          \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* address, type* expected, type value, int, \
                                                    int) {                                                   \
    return __atomic_compare_exchange_n(address, expected, value, false, 5, 5) ? 1 : 0;                       \
  }                                                                                                          \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* address, type* expected, type value, int,   \
                                                  int) {                                                     \
    return __atomic_compare_exchange_n(address, expected, value, true, 5, 5) ? 1 : 0;                        \
  }

extern "C" {
TPN_ACCESS(1)
TPN_ACCESS(2)
TPN_ACCESS(4)
TPN_ACCESS(8)
TPN_ACCESS(16)
void __tsan_read_range(void* address, std::size_t size) {
  check(address, size, race::Access::read, __builtin_return_address(0));
}
void __tsan_write_range(void* address, std::size_t size) {
  check(address, size, race::Access::write, __builtin_return_address(0));
}
void __tsan_vptr_read(void* /*address*/) {}
void __tsan_vptr_update(void* /*address*/, void* /*value*/) {}
void __tsan_init() {}
void __tsan_func_entry(void* /*caller*/) {}
void __tsan_func_exit() {}
TPN_ATOMIC(8, std::uint8_t)
TPN_ATOMIC(16, std::uint16_t)
TPN_ATOMIC(32, std::uint32_t)
TPN_ATOMIC(64, std::uint64_t)
void __tsan_atomic_thread_fence(int /*order*/) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __tsan_atomic_signal_fence(int /*order*/) {}
}
// NOLINTEND(bugprone-reserved-identifier,bugprone-macro-parentheses,readability-identifier-naming)
