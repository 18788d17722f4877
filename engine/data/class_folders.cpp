#include "engine/data/class_folders.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "engine/model/text.h"
#include "engine/video/find_videos.h"
#include "engine/video/media_names.h"
#include "engine/video/quantity.h"
#include "kernels/error.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;

/// What lies in the folder itself.
struct Contents {
  std::vector<std::string> folders;  // sorted as Python sorts them
  std::int64_t videos = 0;
};

Contents list(const fs::path& folder) {
  Contents contents;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (is_clutter(name)) continue;
    if (entry->is_directory(ignored)) {
      contents.folders.push_back(std::move(name));
    } else if (has_video_ending(name)) {
      ++contents.videos;
    }
  }
  if (error) throw Error(folder.string() + ": the folder cannot be read (" + error.message() + ").");
  std::ranges::sort(contents.folders);
  return contents;
}

}  // namespace

SampleList read_class_folders(const fs::path& folder, const SampleListOptions& options) {
  const Contents contents = list(folder);
  if (contents.folders.empty()) {
    throw Error(folder.string() +
                " holds no folders; a list of samples, or a folder with one folder for each "
                "class is expected.");
  }
  std::optional<FramePattern> pattern;
  if (!options.raw_frames.pattern.empty()) pattern.emplace(options.raw_frames.pattern);
  SampleList result;
  result.name = folder.string();
  result.classes = options.classes.empty() ? contents.folders : options.classes;
  for (const std::string& name : contents.folders) {
    const fs::path class_folder = folder / name;
    FoundVideos found = find_videos(class_folder.string(), pattern);
    std::ranges::move(found.warnings, std::back_inserter(result.warnings));
    const auto place = std::ranges::find(result.classes, name);
    if (place == result.classes.end()) {
      result.faults.push_back(class_folder.string() + ": " + in_quotes(name) + " is none of the " +
                              std::to_string(result.classes.size()) + " known classes.");
      continue;
    }
    for (std::string& video : found.names) {
      result.samples.push_back({video, place - result.classes.begin(), 0, video});
    }
  }
  if (contents.videos > 0) {
    result.warnings.push_back(folder.string() + ": " + count_of(contents.videos, "video") +
                              (contents.videos == 1 ? " lies" : " lie") +
                              " in no class's folder and was passed over.");
  }
  if (result.samples.empty()) throw Error(folder.string() + " holds no videos in its folders.");
  return result;
}

}  // namespace tpn
