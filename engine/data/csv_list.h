// Lists whose fields are separated by commas, semicolons or tabs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/list_parser.h"

namespace tpn {

/// The fields of a line, which may stand in double quotes ("" is one of them there). None where a quote is
/// not closed.
std::optional<std::vector<std::string>> split_fields(std::string_view line, char delimiter);

/// What separates the fields of a list that begins with this line; none where it is one of PATH LABEL.
std::optional<char> delimiter_of(const std::string& line);

/// Parses lines with that delimiter. Throws Error, naming the list, when its heading names no label or no
/// path.
ParsedList parse_csv_list(const std::vector<std::string>& lines, char delimiter, const std::string& name);

}  // namespace tpn
