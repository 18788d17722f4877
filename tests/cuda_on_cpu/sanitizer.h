// The address sanitizer's interface where it is on, and nothing where it is not.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define TPN_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TPN_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef TPN_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace tpn::cuda_on_cpu::sanitizer {

#ifdef TPN_ADDRESS_SANITIZER
inline constexpr bool checks_addresses = true;
inline void poison(const void* address, std::size_t size) {
  __asan_poison_memory_region(address, size);
}
inline void unpoison(const void* address, std::size_t size) {
  __asan_unpoison_memory_region(address, size);
}
inline void start_switch(void** fake_stack, const void* bottom, std::size_t size) {
  __sanitizer_start_switch_fiber(fake_stack, bottom, size);
}
inline void finish_switch(void* fake_stack) {
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}
/// Adds kernel, block, thread and array to what the sanitizer prints.
void name_kernels_of_errors();
#else
inline constexpr bool checks_addresses = false;
inline void poison(const void* /*address*/, std::size_t /*size*/) {}
inline void unpoison(const void* /*address*/, std::size_t /*size*/) {}
inline void start_switch(void** /*fake_stack*/, const void* /*bottom*/, std::size_t /*size*/) {}
inline void finish_switch(void* /*fake_stack*/) {}
inline void name_kernels_of_errors() {}
#endif

}  // namespace tpn::cuda_on_cpu::sanitizer
