#include "engine/recognize/consensus.h"

#include <algorithm>
#include <cstdint>

#include "kernels/ops/view_scores.h"

namespace tpn {

std::vector<float> average_views(std::span<const float> logits, int classes,
                                 const std::string& average_clips) {
  const std::int64_t views = static_cast<std::int64_t>(logits.size()) / classes;
  const ops::ViewScores consensus{.views = views, .softmax = average_clips != "score"};
  ops::Tensor64 values({views, classes});
  ops::Tensor64 scores({1, classes});
  std::ranges::copy(logits, values.data.begin());
  consensus.forward({&values, 1}, {&scores, 1});
  return {scores.data.begin(), scores.data.end()};
}

}  // namespace tpn
