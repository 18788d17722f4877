// The scores of videos from the logits of their views: the mean over each video's views of softmax(logits),
// or of the logits themselves.
#pragma once

#include "kernels/ops/softmax.h"

namespace tpn::ops {

/// Input: logits (V,K), the views of a video one after the other. Output: (V / views, K).
struct ViewScores {
  static constexpr std::string_view name = "view_scores";

  std::int64_t views = 1;  ///< of a video
  bool softmax = true;     ///< whether the mean is of probabilities

  bool operator==(const ViewScores&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 1);
    check_matrix(name, inputs, 0);
    const Shape& logits = inputs[0].shape;
    if (views < 1 || logits[0] % views != 0) {
      throw Error("view_scores: logits of shape " + to_string(logits) + " are not those of videos of " +
                  std::to_string(views) + " views each.");
    }
    return {matrix({logits[0] / views, logits[1]})};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    std::vector<Tensor64> scores{inputs[0]};
    if (softmax) Softmax::forward(inputs, scores);
    Tensor64& y = outputs[0];
    const std::int64_t classes = y.shape[1];
    for (std::int64_t video = 0; video < y.shape[0]; ++video)
      for (std::int64_t k = 0; k < classes; ++k) {
        double sum = 0;
        for (std::int64_t view = 0; view < views; ++view) {
          sum += scores[0].data[static_cast<std::size_t>((video * views + view) * classes + k)];
        }
        y.data[static_cast<std::size_t>(video * classes + k)] = sum / static_cast<double>(views);
      }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<ViewScores>> cases() {
    return {{"probabilities", {.views = 3}, {matrix({6, 17})}},
            {"logits", {.views = 4, .softmax = false}, {matrix({4, 33})}},
            {"one_view", {}, {matrix({2, 9})}},
            {"one_class", {.views = 2}, {matrix({2, 1})}},
            {"kinetics", {.views = 30}, {matrix({30, 400})}, {}, true}};
  }
};

}  // namespace tpn::ops
