// Where clips come from: files, and frames that the caller holds.
#pragma once

#include <optional>
#include <string>

#include "engine/recognize/tpn.h"
#include "engine/recognize/view_pipeline.h"
#include "engine/video/clip_loader.h"

namespace tpn {

/// What all videos of a call are loaded with.
struct ClipLoading {
  SamplingConfig sampling;
  std::optional<ViewCounts> counts;  ///< in place of the protocol's
  DecodeOptions decoding;            ///< of files
  FrameKeeping keeping;
};

/// A file, a folder of images or a URL.
ClipSource source_of(const std::string& input, const ClipLoading& loading);
/// Frames in memory, which stay there until the source has been used. Throws Error when there are none.
ClipSource source_of(const FrameSequence& frames, const ClipLoading& loading);

}  // namespace tpn
