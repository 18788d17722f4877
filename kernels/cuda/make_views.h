// The CUDA version of kernels/ops/make_views.h.
#pragma once

#include "kernels/preprocess/view_task.h"
#include "kernels/stream.h"

namespace tpn::cuda {

/// Enqueues the task on a stream made by make_stream(). Throws Error when the kernel cannot be started.
void make_views(const ViewTask& task, Stream& stream);

}  // namespace tpn::cuda
