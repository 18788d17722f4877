// Streams of a CUDA device.
#pragma once

#include <memory>

#include <cuda_runtime_api.h>

#include "kernels/stream.h"

namespace tpn::cuda {

/// A stream of the current device that waits for no other. Recordings are CUDA graphs, marks are events.
/// Whoever uses it has made its device the current one of the thread. Throws Error.
std::unique_ptr<Stream> make_stream();

/// The handle of a stream made by make_stream(), for launching kernels on it; throws std::bad_cast for
/// others.
cudaStream_t stream_of(Stream& stream);

}  // namespace tpn::cuda
