// Text files that people write or get from other systems: class names, lists of inputs.
#pragma once

#include <cstddef>
#include <filesystem>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace tpn {

/// The most that a text may hold, bytes. A longer one is no list, and devices have no end at all.
inline constexpr std::size_t most_text_bytes = std::size_t{128} << 20;

/// What lines may hold: text in UTF-8, or any bytes but NUL, as names of files do.
enum class LineBytes { utf8, any };

/// The lines of a text without their ends (LF or CRLF; CR where the text has no LF) and without the byte
/// order mark before the first. Empty lines are kept; an end after the last line opens no further one. Throws
/// Error naming `name`, and the line where there is one, when it is UTF-16, holds a NUL or is not UTF-8 where
/// that is asked for.
std::vector<std::string> text_lines(std::string_view text, const std::string& name,
                                    LineBytes bytes = LineBytes::utf8);

/// All of a stream. Throws Error naming `name` when reading fails or most_text_bytes are exceeded.
std::string read_text(std::istream& stream, const std::string& name);

/// All of a file, which may be a pipe. Throws Error as for a stream, and saying why when it cannot be opened.
std::string read_text(const std::filesystem::path& path);

/// The lines of a file.
std::vector<std::string> read_text_lines(const std::filesystem::path& path);

}  // namespace tpn
