#include "engine/video/find_videos.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/video/media_names.h"
#include "engine/video/natural_order.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;

std::string count_of(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? " was" : "s were");
}

class FolderWalk {
 public:
  explicit FolderWalk(const std::optional<FramePattern>& pattern) : pattern_(pattern) {}

  struct Found {
    std::vector<std::string> inputs;
    std::size_t videos = 0;  // of these, files
  };

  /// Inputs below a folder, itself if it holds frames; nothing when it has been visited.
  Found visit(const fs::path& folder) {
    std::error_code error;
    const fs::path real = fs::canonical(folder, error);
    if (!error && !visited_.insert(real.string()).second) return {};
    const std::vector<std::string> names = list(folder, error);
    if (error) return {{folder.string()}, 0};  // what is wrong is said when it is opened

    Found found;
    std::vector<std::string> frames;
    std::vector<std::string> others;
    for (const std::string& name : names) {
      const fs::path path = folder / name;
      std::error_code failed;
      const fs::file_status status = fs::status(path, failed);
      const bool is_file = fs::is_regular_file(status);
      const bool is_link_to_nothing = !fs::exists(status);
      if (fs::is_directory(status)) {
        Found below = visit(path);
        found.videos += below.videos;
        found.inputs.insert(found.inputs.end(), std::make_move_iterator(below.inputs.begin()),
                            std::make_move_iterator(below.inputs.end()));
      } else if (has_video_ending(name) && (is_file || is_link_to_nothing)) {
        ++found.videos;
        found.inputs.push_back(path.string());
      } else {
        (is_file && is_frame(name) ? frames : others).push_back(name);
      }
    }
    if (!frames.empty() && found.videos == 0 && frames.size() > found.inputs.size()) {
      inner_folders_ += found.inputs.size();
      found.inputs = {folder.string()};
    } else {
      others.insert(others.end(), frames.begin(), frames.end());
    }
    for (const std::string& name : others) ++skipped_[ending_of(name)];
    return found;
  }

  /// Sentences about what was left out below `name`; of files only where it is more than a folder of frames.
  [[nodiscard]] std::vector<std::string> warnings(const std::string& name, bool of_files) const {
    std::vector<std::string> sentences;
    if (of_files && !skipped_.empty()) sentences.push_back(name + ": " + skipped_files());
    if (inner_folders_ > 0) {
      sentences.push_back(name + ": " + count_of(inner_folders_, "folder") +
                          " skipped that lie in folders of frames.");
    }
    return sentences;
  }

 private:
  /// Names in natural order.
  static std::vector<std::string> list(const fs::path& folder, std::error_code& error) {
    std::vector<std::string> names;
    error.clear();
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      std::string name = entry->path().filename().string();
      if (!is_clutter(name)) names.push_back(std::move(name));
    }
    std::ranges::sort(names, natural_less);
    return names;
  }

  [[nodiscard]] std::string skipped_files() const {
    std::vector<std::pair<std::size_t, std::string>> kinds;
    std::size_t count = 0;
    for (const auto& [ending, files] : skipped_) {
      kinds.emplace_back(files, ending.empty() ? "without an ending" : "." + ending);
      count += files;
    }
    std::ranges::sort(kinds, [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    constexpr std::size_t most_kinds = 5;
    std::string text;
    for (std::size_t i = 0; i < std::min(kinds.size(), most_kinds); ++i) {
      text += (i > 0 ? ", " : "") + std::to_string(kinds[i].first) + " " + kinds[i].second;
    }
    if (kinds.size() > most_kinds) text += ", ...";
    return count_of(count, "file") + " skipped whose " +
           (count == 1 ? "name is not that of a video" : "names are not those of videos") + " (" + text +
           ").";
  }

  [[nodiscard]] bool is_frame(const std::string& name) const {
    return pattern_ ? pattern_->match(name).has_value() : has_image_ending(name);
  }

  std::optional<FramePattern> pattern_;
  std::set<std::string> visited_;
  std::map<std::string, std::size_t> skipped_;  // files by ending
  std::size_t inner_folders_ = 0;
};

}  // namespace

FoundVideos find_videos(const std::string& folder, const std::optional<FramePattern>& pattern) {
  FolderWalk walk(pattern);
  FoundVideos found{walk.visit(folder).inputs, {}};
  const bool is_itself = found.names.size() == 1 && fs::path(found.names.front()) == fs::path(folder);
  if (is_itself) found.names.front() = folder;  // as it was named
  found.warnings = walk.warnings(folder, !found.names.empty() && !is_itself);
  return found;
}

}  // namespace tpn
