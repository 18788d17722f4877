// Which videos the names on a command line stand for.
#pragma once

#include <istream>
#include <span>
#include <string>
#include <vector>

namespace tpn::app {

struct InputOptions {
  bool null_separated = false;  ///< names in lists end with a NUL byte instead of a line's end
  std::string frames = {};      ///< what frames in folders are called (FramePattern); empty: images
};

struct Inputs {
  std::vector<std::string> names;
  std::vector<std::string> warnings;  ///< whole sentences: what was skipped in folders, lists that are empty
};

/// Expands, in order:
///   "-"      the names on `standard_input`, one a line
///   "@FILE"  the names in that file, one a line
///   a folder, in lists too   the videos in it and in the folders below it, told by the ends of their names,
///   and
///            each folder of frames below it, in natural order; links are followed, no folder is entered
///            twice, hidden files and what archives leave behind are passed over
/// Everything else, also a folder of frames or without anything, stands for itself. A folder with images is a
/// folder of frames unless videos, or as many other inputs as it has images, are below it. Blank lines are
/// skipped, names keep their blanks and their bytes. Throws Error when a list cannot be read or holds what
/// cannot be names.
Inputs expand_inputs(std::span<const std::string> names, std::istream& standard_input,
                     const InputOptions& options = {});

}  // namespace tpn::app
