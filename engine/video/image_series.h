// Which images of a folder are the frames of its video: folders hold optical flow, depth, masks and covers
// too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/video/frame_pattern.h"

namespace tpn {

/// The frames of a folder, and what has to be said about them.
struct FrameNames {
  std::vector<std::string> names;     ///< of files, in order
  std::vector<std::string> warnings;  ///< whole sentences that name the folder: what is left out, gaps
};

/// Chooses among the images of a folder, given by their names in any order.
///
/// Names that differ in one number only are a series. Of several, those that are by their words optical flow
/// (flow_x_1, flow_y_1; x_1 and y_1; but flow_i_1 is the image), depth, masks and the like are left out, and
/// so are single images (covers) beside a longer series. If then one series is left, it is the video, in the
/// order of its numbers. Images without any series are one video in natural order. `pattern` chooses
/// instead, where there is one.
/// Throws Error, naming the folder and the series, when it is not clear which to take or nothing fits the
/// pattern.
FrameNames choose_frames(std::vector<std::string> names, const std::string& folder,
                         const std::optional<FramePattern>& pattern);

/// The same for a folder. Throws Error, naming it, also when it cannot be read or holds no images.
FrameNames find_frames(const std::filesystem::path& folder, const std::optional<FramePattern>& pattern);

/// Those of a folder's frames that a list counts: `count` of them (0: as many as there are), from number
/// `first` on where the pattern has one, else from the first of `names`. Throws Error, naming the folder,
/// when there are fewer, and naming the image when a number is missing.
std::vector<std::string> counted_frames(const std::filesystem::path& folder, std::vector<std::string> names,
                                        const std::optional<FramePattern>& pattern, std::int64_t first,
                                        std::int64_t count);

}  // namespace tpn
