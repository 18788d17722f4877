// What kernels share that multiply tiles of matrices on the f32 units: where a thread stands in its block of
// 16 x 16, and the walk along the depth.
#pragma once

#include "kernels/cuda/device.cuh"

namespace tpn::cuda {

/// A thread's place among 16 x 16: a warp is 4 x 8 of them.
struct SimtPlace {
  int row, column;
};
__device__ __forceinline__ SimtPlace simt_place(int thread) {
  return {thread / 64 * 4 + thread % 32 / 8, thread / 32 % 2 * 8 + thread % 8};
}

/// Calls use(step) for each of a block's steps of depth where it lies in shared memory, while `Stages` - 1
/// further ones are under way. loader.load(to) starts copying the next step into StepBytes of shared memory.
template <int Stages, int StepBytes, class Loader, class Use>
__device__ __forceinline__ void for_each_step(Loader& loader, unsigned char* ring, int steps,
                                              const Use& use) {
  constexpr int ring_bytes = Stages * StepBytes;
#pragma unroll
  for (int stage = 0; stage < Stages - 1; ++stage) {
    if (stage < steps) loader.load(ring + stage * StepBytes);
    cp_async_commit();  // also of nothing: the waits count groups
  }
  int current = 0;  // where the step lies in the ring, and where the next to be fetched will
  int free = ring_bytes - StepBytes;
  for (int step = 0; step < steps; ++step) {
    // The step has arrived, and all have done with the one before, whose place is the next to be filled.
    cp_async_wait<Stages - 2>();
    __syncthreads();
    if (step + Stages - 1 < steps) loader.load(ring + free);
    cp_async_commit();
    use(ring + current);
    current = current + StepBytes == ring_bytes ? 0 : current + StepBytes;
    free = free + StepBytes == ring_bytes ? 0 : free + StepBytes;
  }
}

}  // namespace tpn::cuda
