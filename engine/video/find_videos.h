// The videos in a folder and in those below it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/video/frame_pattern.h"

namespace tpn {

struct FoundVideos {
  std::vector<std::string> names;     ///< of files and folders of frames
  std::vector<std::string> warnings;  ///< whole sentences: what was passed over
};

/// Videos, told by the ends of their names, and folders of frames in and below a folder, in natural order;
/// the folder itself where it is one of frames. Links are followed, no folder is entered twice, hidden files
/// and what archives leave behind are passed over. A folder with images is a folder of frames unless videos,
/// or as many other inputs as it has images, are below it. `pattern` tells frames from other files; without
/// one, images are frames.
FoundVideos find_videos(const std::string& folder, const std::optional<FramePattern>& pattern);

}  // namespace tpn
