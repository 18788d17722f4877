#include "engine/evaluation/evaluated_video.h"

#include <algorithm>

namespace tpn {

std::int64_t best_class(const std::vector<float>& scores) {
  return std::ranges::max_element(scores) - scores.begin();
}

std::int64_t rank_of(const std::vector<float>& scores, std::int64_t label) {
  const float own = scores.at(static_cast<std::size_t>(label));
  const auto place = scores.begin() + label;
  return std::count_if(scores.begin(), place, [own](float other) { return other >= own; }) +
         std::count_if(place, scores.end(), [own](float other) { return other > own; });
}

}  // namespace tpn
