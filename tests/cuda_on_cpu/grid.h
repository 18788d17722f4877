// Runs kernels: the blocks of a grid, spread over threads of the CPU.
#pragma once

#include "tests/cuda_on_cpu/block.h"

namespace tpn::cuda_on_cpu {

/// Returns when all blocks have ended, or one has failed (a finding tells why): false.
bool run_grid(const Launch& launch);

}  // namespace tpn::cuda_on_cpu
