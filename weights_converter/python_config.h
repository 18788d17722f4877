// The configuration text that mmengine and mmcv store in checkpoints: Python assignments. Nothing is
// executed.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace tpn {

/// An object of the text's top-level assignments `name = value` whose value is made of literals: numbers,
/// strings, True, False, None, lists, tuples, {...} and dict(...). Tuples become lists; None, and whatever
/// inside a value is not a literal, becomes null. Other statements are passed over. Text over 1 MiB gives an
/// empty object, nesting deeper than 32 gives null. Never throws on account of the text.
nlohmann::json parse_python_config(std::string_view text);

}  // namespace tpn
