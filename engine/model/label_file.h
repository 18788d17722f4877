// Class names from files of other projects. Internal to labels.cpp.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tpn {

/// Names in the order of their classes: see read_labels() in labels.h.
std::vector<std::string> parse_label_file(const std::filesystem::path& path);

}  // namespace tpn
