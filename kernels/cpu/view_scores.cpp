#include "kernels/ops/view_scores.h"

#include <vector>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/softmax.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::ViewScores& op, const Signature&) {
  return loop_kernel([op](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const std::int64_t classes = out[0].shape[1];
    std::vector<float> scores(static_cast<std::size_t>(classes));
    std::vector<double> sums(scores.size());
    for (std::int64_t video = 0; video < out[0].shape[0]; ++video) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (std::int64_t view = video * op.views; view < (video + 1) * op.views; ++view) {
        const float* logits = elements<float>(in[0]) + view * classes;
        if (op.softmax) {
          softmax_row(logits, scores.data(), classes);
        } else {
          std::copy_n(logits, classes, scores.begin());
        }
        for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += scores[k];
      }
      float* y = elements<float>(out[0]) + video * classes;
      for (std::size_t k = 0; k < sums.size(); ++k) {
        y[k] = static_cast<float>(sums[k] / static_cast<double>(op.views));
      }
    }
  });
}

}  // namespace tpn::cpu
