#include "engine/data/media_finder.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "engine/video/media_names.h"

namespace tpn {

namespace fs = std::filesystem;

const MediaFinder::Listing& MediaFinder::list(const fs::path& folder) {
  const auto [place, added] = listings_.try_emplace(folder.string());
  if (!added) return place->second;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    place->second.names.insert(name);
    if (has_video_ending(name)) place->second.videos.emplace(name.substr(0, name.rfind('.')), name);
  }
  return place->second;
}

fs::path MediaFinder::locate(const std::string& path, const std::string& label) {
  fs::path whole = root_ / path;
  if (has_video_ending(path)) return whole;
  std::string class_folder = label;
  std::ranges::replace(class_folder, ' ', '_');
  for (const fs::path& folder : {root_, root_ / label, root_ / class_folder}) {
    fs::path candidate = folder / path;
    const Listing& listing = list(candidate.parent_path());
    const std::string name = candidate.filename().string();
    if (listing.names.contains(name)) return candidate;
    if (const auto video = listing.videos.find(name); video != listing.videos.end()) {
      return candidate.parent_path() / video->second;
    }
  }
  return whole;
}

}  // namespace tpn
