// What the text of a list says, before names of classes and files are looked up. Internal to sample_list.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/error.h"

namespace tpn {

struct ListEntry {
  std::string path;         ///< as it is written; ID_START_END of entries with times
  std::string label;        ///< a number or a name, not empty
  std::int64_t frames = 0;  ///< of a folder of raw frames; 0: not said
  std::string origin;
};

struct ParsedList {
  std::vector<ListEntry> entries;
  std::vector<std::string> faults;  ///< sentences that begin with an origin

  /// Adds a fault; `why` is a clause.
  void refuse(const std::string& origin, const std::string& why) {
    faults.push_back(origin + ": " + why + ".");
  }
  /// Adds an entry, or why there is none.
  void add(const std::string& origin, Result<ListEntry> entry) {
    if (!entry) return refuse(origin, entry.failure().message);
    entry->origin = origin;
    entries.push_back(*std::move(entry));
  }
};

struct ListRules {
  bool raw_frames = false;  ///< every entry is a folder of raw frames with their number
  /// Whether there is a folder of that name, or a video but for its end: that tells FOLDER FRAMES LABEL from
  /// PATH LABEL with blanks in the path.
  std::function<bool(const std::string& path)> is_there;
};

/// Parses a list of any kind but a folder (sample_list.h); `name` is what it is called in messages. Throws
/// Error, naming it, when it is no list or has no entry.
ParsedList parse_list(std::string_view text, const std::string& name, const ListRules& rules);

}  // namespace tpn
