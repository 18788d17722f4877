// Dumps of recognitions.
#pragma once

#include <memory>

#include "engine/dump/tensor_dump.h"
#include "engine/recognize/tpn.h"
#include "engine/video/clip_loader.h"

namespace tpn {

/// The views of a video, made once more.
ViewReader views_of(std::shared_ptr<const LoadedClips> clips, const SamplingConfig& sampling);
/// Those of a tensor (views, 3, T, H, W), which stays.
ViewReader views_of(const ConstTensorView& tensor);

/// Writes the file; what it throws names it.
void write_dump(TensorDumpWriter& writer, const Recognition& recognition, const ViewReader& views);

}  // namespace tpn
