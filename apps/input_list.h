// Which videos the names on a command line stand for.
#pragma once

#include <istream>
#include <span>
#include <string>
#include <vector>

namespace tpn::app {

/// Expands, in order:
///   "-"      the names on `standard_input`, one a line
///   "@FILE"  the names in that file, one a line
///   a folder with videos in it (told by the ends of their names)   those videos, in natural order
/// Everything else, also a folder without videos, stands for itself, and so do names of folders with videos
/// in lists: they are expanded too. Blank lines are skipped. Throws Error when a list cannot be read.
std::vector<std::string> expand_inputs(std::span<const std::string> names, std::istream& standard_input);

}  // namespace tpn::app
