// What tests set and ask: the emulated devices, the order in which threads run, and what was found wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tpn::cuda_on_cpu {

/// What a kernel, or the host around it, can do wrong. Those with (race) are found by the race build only.
enum class FindingKind : std::uint8_t {
  divergent_barrier,      ///< some threads of a block wait at __syncthreads, others never come
  divergent_collective,   ///< lanes named in the mask, or warps of a group, do not come, or elsewhere
  unfinished_copy,        ///< a thread ended with cp.async copies it had not waited for, or a block with
                          ///< copies of boxes that nobody had
  endless_wait,           ///< threads wait for a phase of a PhaseBarrier that never ends
  barrier_misuse,         ///< a PhaseBarrier not initialised, overwritten, with too many arrivals or bytes
  box_copy_misuse,        ///< copy_box with what is not a map of that many dimensions
  product_misuse,         ///< wgmma with invalid operands, without a fence, or sums touched before the wait
  unfinished_product,     ///< a thread ended with wgmma products it had not waited for
  copy_read_before_wait,  ///< (race) access to the destination of a cp.async that was not waited for
  race_in_shared_memory,  ///< (race) no barrier between two threads' accesses
  race_in_block,          ///< (race) the same in global memory
  race_between_blocks,    ///< (race) in global memory, by two blocks of one launch
  uninitialized_shared_read,    ///< (race)
  shared_out_of_bounds,         ///< (race); the plain build finds those of copies, ldmatrix and wgmma
  global_out_of_bounds,         ///< (race); the plain build finds those of copy_box
  host_memory_access,           ///< (race) a kernel was given a pointer to the host's memory
  misaligned_access,            ///< (race); the plain build finds those of copies, ldmatrix and vectors
  other_device_access,          ///< a kernel, or a copy of a box, touched another device's memory
  shared_memory_limit,          ///< arrays of fixed size over 48 KiB, or all over what the launch may have
  host_access_before_copy_end,  ///< the host touched the destination of an unfinished cudaMemcpyAsync
  trap,                         ///< the kernel called __trap
};

/// The enumerator's name.
const char* name_of(FindingKind kind);

struct Finding {
  FindingKind kind;
  std::string kernel;   ///< empty where the host is to blame
  std::string message;  ///< one line: kernel, block, threads, array or allocation and offset, places
};

/// All since the last call, oldest first. Those of one kind at the same place of a kernel are given once.
std::vector<Finding> take_findings();

/// Orders of lanes, warps and blocks follow from it. At first: the environment's CUDA_ON_CPU_SEED, or 1.
void set_seed(std::uint64_t seed);

/// Threads of the CPU that run blocks. At first: the environment's CUDA_ON_CPU_THREADS, or one per core;
/// always one in the race build.
int worker_count();

/// 0 to 8; one at first.
void set_device_count(int count);

/// Of each device, bytes. 16 GiB at first.
void set_device_memory(std::size_t bytes);

/// Whether the failure of a kernel stays, as CUDA's do: until it is taken back all work and waiting fails. At
/// first the device goes on once the failure was told, so that one test does not end the others.
void set_failures_stay(bool stay);

/// How many kernels ran in this process.
std::uint64_t kernels_run();

}  // namespace tpn::cuda_on_cpu
