// What the runtime tells the race checker. Nothing in builds without it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tpn::cuda_on_cpu {

class BlockRunner;

namespace race {

enum class Access : std::uint8_t { read, write, atomic };

#ifdef CUDA_ON_CPU_RACE

inline constexpr bool enabled = true;

/// Where shared memory will lie.
void watch_shared(const void* memory, std::size_t size);

/// Shared memory that holds nothing yet, and that is none.
void declare_shared(const void* address, std::size_t size);
void forget_shared(const void* address, std::size_t size);
/// The same of device memory.
void declare_global(const void* address, std::size_t size);
void forget_global(const void* address, std::size_t size);

void begin_launch();
void begin_block(BlockRunner& runner);
void barrier_done();
void warp_barrier_done(unsigned warp, std::uint32_t mask);

/// An access by a thread of the running block; place: in the program.
void access(unsigned thread, const void* address, std::size_t size, Access kind, const void* place);
void copy_begins(unsigned thread, const void* shared, std::size_t size, const void* place);
void copy_ends(unsigned thread, const void* shared, std::size_t size, const void* place);

/// A thread arrives at a barrier with phases; a phase ends; a thread has waited for the last that ended.
void arrived(unsigned thread, std::size_t barrier);
void phase_ended(std::size_t barrier, std::uint64_t phase);
void phase_waited(unsigned thread, std::size_t barrier);
/// A copy that the thread starts and whose bytes come in a phase of the barrier.
void box_copy_begins(unsigned thread, std::size_t barrier, std::uint64_t phase, const void* shared,
                     std::size_t size, const void* place);
void box_copy_ends(unsigned thread, std::size_t barrier, std::uint64_t phase, const void* shared,
                   std::size_t size, const void* place);
/// A product, started by the thread's warp after so many commits, may read from now on until one of the group
/// has waited; a thread has waited for all before the last of so many commits.
void product_reads(unsigned thread, std::uint64_t commits, const void* shared, std::size_t size,
                   const void* place);
void products_waited(unsigned thread, std::uint64_t commits);

#else

inline constexpr bool enabled = false;

inline void watch_shared(const void* /*memory*/, std::size_t /*size*/) {}
inline void declare_shared(const void* /*address*/, std::size_t /*size*/) {}
inline void forget_shared(const void* /*address*/, std::size_t /*size*/) {}
inline void declare_global(const void* /*address*/, std::size_t /*size*/) {}
inline void forget_global(const void* /*address*/, std::size_t /*size*/) {}
inline void begin_launch() {}
inline void begin_block(BlockRunner& /*runner*/) {}
inline void barrier_done() {}
inline void warp_barrier_done(unsigned /*warp*/, std::uint32_t /*mask*/) {}
inline void access(unsigned /*thread*/, const void* /*address*/, std::size_t /*size*/, Access /*kind*/,
                   const void* /*place*/) {}
inline void copy_begins(unsigned /*thread*/, const void* /*shared*/, std::size_t /*size*/,
                        const void* /*place*/) {}
inline void copy_ends(unsigned /*thread*/, const void* /*shared*/, std::size_t /*size*/,
                      const void* /*place*/) {}
inline void arrived(unsigned /*thread*/, std::size_t /*barrier*/) {}
inline void phase_ended(std::size_t /*barrier*/, std::uint64_t /*phase*/) {}
inline void phase_waited(unsigned /*thread*/, std::size_t /*barrier*/) {}
inline void box_copy_begins(unsigned /*thread*/, std::size_t /*barrier*/, std::uint64_t /*phase*/,
                            const void* /*shared*/, std::size_t /*size*/, const void* /*place*/) {}
inline void box_copy_ends(unsigned /*thread*/, std::size_t /*barrier*/, std::uint64_t /*phase*/,
                          const void* /*shared*/, std::size_t /*size*/, const void* /*place*/) {}
inline void product_reads(unsigned /*thread*/, std::uint64_t /*commits*/, const void* /*shared*/,
                          std::size_t /*size*/, const void* /*place*/) {}
inline void products_waited(unsigned /*thread*/, std::uint64_t /*commits*/) {}

#endif

}  // namespace race
}  // namespace tpn::cuda_on_cpu
