#include "engine/report/class_rank.h"

#include <algorithm>
#include <cstddef>

namespace tpn {

std::int64_t best_class(std::span<const float> scores) {
  return std::ranges::max_element(scores) - scores.begin();
}

std::int64_t rank_of(std::span<const float> scores, std::int64_t label) {
  const auto place = static_cast<std::size_t>(label);
  const float own = scores[place];
  return std::ranges::count_if(scores.first(place), [own](float other) { return other >= own; }) +
         std::ranges::count_if(scores.subspan(place), [own](float other) { return other > own; });
}

}  // namespace tpn
