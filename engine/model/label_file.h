// Class names from files of other projects. Internal to labels.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tpn {

/// Names in the order of their classes, from the text of a file of that name: see read_labels() in labels.h.
std::vector<std::string> parse_label_file(std::string_view text, const std::string& file);

}  // namespace tpn
