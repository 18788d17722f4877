// What a class becomes when its clips are mirrored.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tpn {

struct FlipLabels {
  /// From a class whose name says left or right to the class of the same name with both exchanged. For
  /// Something-Something V1 that is the map of mmaction2's configurations.
  std::map<std::int64_t, std::int64_t> map = {};
  /// Classes whose names say so and that have no counterpart: mirrored clips of theirs are wrong.
  std::vector<std::int64_t> without_counterpart = {};
};

FlipLabels flip_labels(const std::vector<std::string>& names);

}  // namespace tpn
