// Something-Something's lists in JSON. Internal to list_parser.cpp.
#pragma once

#include <string>
#include <string_view>

#include "engine/data/list_parser.h"

namespace tpn {

/// Parses [{"id": "7", "template": "Holding [something]"}, ...]; the name of a class is the template without
/// its brackets, or else the "label". Throws Error, naming the list, when it is anything else.
ParsedList parse_json_list(std::string_view text, const std::string& name);

}  // namespace tpn
