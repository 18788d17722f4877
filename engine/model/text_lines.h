// Text files that people write or get from other systems: class names, lists of inputs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tpn {

/// The lines of a text without their ends (LF or CRLF) and without the byte order mark before the first.
/// Empty lines are kept; an end after the last line opens no further one. Throws Error naming `name` and the
/// line when it is not UTF-8 or holds a NUL.
std::vector<std::string> text_lines(std::string_view text, const std::string& name);

/// The same of a file, which may be a pipe. Throws Error also when it cannot be read.
std::vector<std::string> read_text_lines(const std::filesystem::path& path);

}  // namespace tpn
