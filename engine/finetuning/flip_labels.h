// Whether clips are mirrored, and what a class becomes then.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tpn {

struct FlipLabels {
  bool mirrors = true;                            ///< half of the clips
  std::map<std::int64_t, std::int64_t> map = {};  ///< from a class to another, of those that change
  /// Classes whose names say left or right and that have no counterpart: mirrored clips of theirs are wrong.
  std::vector<std::int64_t> without_counterpart = {};
};

/// Of a recipe's `flip`:
///   auto           a class whose name says left or right becomes the class of the same name with both
///                  exchanged; for Something-Something V1 that is the map of mmaction2's configurations
///   keep           every class stays what it is
///   2:4,30:41,...  the classes of each pair change places, by their numbers from 0, others stay
///   off            no clip is mirrored
/// names: of the classes. Throws Error, naming what is wrong, for anything else, for classes that are not
/// there and for one that is named twice.
FlipLabels flip_labels(const std::string& how, const std::vector<std::string>& names);

}  // namespace tpn
