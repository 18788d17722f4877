// Classifies views that are given instead of a video.
#pragma once

#include <string>

#include "engine/devices/device_executors.h"
#include "engine/dump/tensor_dump.h"
#include "engine/recognize/batch_classifier.h"
#include "engine/recognize/model_state.h"
#include "engine/recognize/tpn.h"

namespace tpn {

/// Throws Error unless it is a tensor (views, 3, T, H, W) of finite numbers. name: what stands for it in
/// messages.
void check_views(const std::string& name, const ConstTensorView& tensor);

/// Runs the network on such a tensor, of a floating-point type. plan: with the features of the dump, which
/// may be null, and what the embeddings are, where they are wanted. batch: views at a time. average: as
/// HeadConfig::average_clips. Throws Error when the results are no scores.
Recognition classify_views(const std::string& name, const ConstTensorView& tensor, const ModelState& model,
                           const std::string& average, const PlanOptions& plan, DeviceExecutors& device,
                           int batch, TensorDumpWriter* dump, bool embeddings);

}  // namespace tpn
