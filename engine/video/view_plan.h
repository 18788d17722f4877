// The views of one video: which frames each consists of and where it is cut out of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/model/config.h"
#include "engine/video/geometry.h"
#include "kernels/preprocess/image.h"

namespace tpn {

/// Clips along time and crops in space; their product is the number of views.
struct ViewCounts {
  int clips = 0;
  int crops = 0;

  bool operator==(const ViewCounts&) const = default;
};

/// Parses "CLIPSxCROPS", for example "10x3"; throws Error when it is something else.
ViewCounts parse_view_counts(std::string_view text);

/// Views are ordered crop-major: view v shows clip v % clips at crop v / clips. For TSM a clip is one sample
/// of all segments: 0 takes their centres, 1 their starts.
struct ViewPlan {
  std::int64_t total_frames = 0;
  ImageSize resized;    ///< every selected frame is resized to this
  int crop_size = 0;    ///< views are squares of this side
  int view_frames = 0;  ///< T
  int clips = 0;
  std::vector<CropOffset> crops;
  std::vector<std::int64_t> frame_indices;  ///< (clips, T), counted from 0 in presentation order
  std::vector<std::int64_t> selected;       ///< the distinct frame indices, ascending
  std::vector<std::size_t> slots;           ///< (clips, T): where in `selected` a clip's frame stands

  [[nodiscard]] int views() const { return clips * static_cast<int>(crops.size()); }
  [[nodiscard]] int clip_of(int view) const { return view % clips; }
  /// (T), where in `selected` a clip's frames stand.
  [[nodiscard]] std::span<const std::size_t> slots_of(int clip) const {
    const auto frames = static_cast<std::size_t>(view_frames);
    return std::span(slots).subspan(static_cast<std::size_t>(clip) * frames, frames);
  }
  [[nodiscard]] CropOffset crop_of(int view) const { return crops[static_cast<std::size_t>(view / clips)]; }
};

/// The plan of a model's test protocol for a video; `counts` replaces the protocol's numbers of clips and
/// crops. Crops are 3 (first end, last end, middle) or 1 (middle); clips of a TSM model are 1 or 2. Throws
/// Error when the counts are others, the video has no frames, or its frames are too long for their width.
ViewPlan plan_views(std::int64_t total_frames, ImageSize frame_size, const SamplingConfig& sampling,
                    const std::optional<ViewCounts>& counts = {});

}  // namespace tpn
