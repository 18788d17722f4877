// The place of a class among the scores of all.
#pragma once

#include <cstdint>
#include <span>

namespace tpn {

/// Index of the largest score, of equal ones the lowest; scores are not empty.
std::int64_t best_class(std::span<const float> scores);

/// How many classes are better than `label`: those with larger scores, and those with equal ones and lower
/// indices. 0: it is the first guess.
std::int64_t rank_of(std::span<const float> scores, std::int64_t label);

}  // namespace tpn
