// Zeros where a strided convolution reads nothing of x.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/cuda/conv_form.h"
#include "kernels/cuda/operand_layout.h"

namespace tpn::cuda {

/// Enqueues writing zeros to the positions of dx that no tap of the convolution `forward` would meet, however
/// many windows there were.
void enqueue_gap_zeros(const ConvForm& forward, const ActivationLayout& dx, const TensorView& to,
                       cudaStream_t stream);

}  // namespace tpn::cuda
