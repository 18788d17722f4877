// Class names of the data sets that the released models were trained on.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tpn {

/// "kinetics400" or "something_something_v1"; throws Error for another name.
const std::vector<std::string>& builtin_labels(std::string_view dataset);

/// One label a line, UTF-8, surrounding white space and a final newline ignored. Throws Error naming the
/// file.
std::vector<std::string> read_labels(const std::filesystem::path& path);

}  // namespace tpn
