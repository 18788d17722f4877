#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "engine/recognize/tpn.h"

namespace tpn {

std::vector<Prediction> Recognition::top(int count) const {
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](int index) {
    const float score = scores[static_cast<std::size_t>(index)];
    return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
  };
  const auto better = [&](int a, int b) { return rank(a) != rank(b) ? rank(a) > rank(b) : a < b; };
  const std::size_t wanted = std::min(order.size(), static_cast<std::size_t>(std::max(count, 0)));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted), order.end(), better);
  order.resize(wanted);
  std::vector<Prediction> best;
  for (const int index : order) {
    const auto i = static_cast<std::size_t>(index);
    best.push_back({labels && i < labels->size() ? (*labels)[i] : std::string(), index, scores[i]});
  }
  return best;
}

}  // namespace tpn
