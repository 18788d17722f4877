#include "engine/recognize/consensus.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "kernels/ops/softmax.h"

namespace tpn {

std::vector<float> average_views(std::span<const float> logits, int classes,
                                 const std::string& average_clips) {
  const auto count = static_cast<std::size_t>(classes);
  const std::size_t views = logits.size() / count;
  ops::Tensor64 values({static_cast<std::int64_t>(views), classes});
  std::copy(logits.begin(), logits.end(), values.data.begin());
  if (average_clips != "score") {
    std::array<ops::Tensor64, 1> probabilities{ops::Tensor64(values.shape)};
    ops::Softmax::forward({&values, 1}, probabilities);
    values = std::move(probabilities[0]);
  }
  std::vector<float> scores;
  for (std::size_t k = 0; k < count; ++k) {
    double sum = 0;
    for (std::size_t view = 0; view < views; ++view) sum += values.data[view * count + k];
    scores.push_back(static_cast<float>(sum / static_cast<double>(views)));
  }
  return scores;
}

}  // namespace tpn
