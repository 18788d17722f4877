// What became of one entry of a list that a model is judged by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tpn {

struct EvaluatedVideo {
  std::size_t entry = 0;        ///< index among the entries of the whole list
  std::string path{};           ///< below the list's root where it lies there; empty: the entry is none
  std::string origin{};         ///< "val.txt:17"
  std::int64_t label = -1;      ///< below the number of classes; negative: not known
  std::int64_t frames = 0;      ///< 0: not known
  double seconds = 0;           ///< 0: not known
  std::vector<float> scores{};  ///< (K); empty where there is an error
  std::string error{};          ///< why there are no scores, a sentence; empty: there are
  std::vector<std::string> warnings{};  ///< sentences: damage that was passed over

  [[nodiscard]] bool readable() const { return error.empty(); }
};

}  // namespace tpn
