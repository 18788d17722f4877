// Pages for allocations of emulated devices.
#pragma once

#include <cstddef>

namespace tpn::cuda_on_cpu {

/// Aligned to 256 bytes. Builds with the address sanitizer take them from its heap, which knows their ends;
/// otherwise they lie in heap_begin() .. + heap_bytes, are never used twice and have an untouchable page
/// behind them. Null: none are left.
std::byte* take_pages(std::size_t size);
void give_back_pages(std::byte* memory, std::size_t size);

/// Makes memory of take_pages() untouchable, and touchable again.
void close_memory(std::byte* memory, std::size_t size);
void open_memory(std::byte* memory, std::size_t size);

/// In the race build every 4 bytes have shadows as large, which is why it has less.
#ifdef CUDA_ON_CPU_RACE
inline constexpr std::size_t heap_bytes = std::size_t{1} << 36;
#else
inline constexpr std::size_t heap_bytes = std::size_t{1} << 43;
#endif
std::byte* heap_begin();

}  // namespace tpn::cuda_on_cpu
