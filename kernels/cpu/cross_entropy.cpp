#include "kernels/ops/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"

namespace tpn::cpu {
namespace {

/// What the loss and its gradient are made of. In double: there are few numbers.
class Problem {
 public:
  Problem(const ops::CrossEntropy& op, std::span<const ConstTensorView> in, bool weighted)
      : op_(op),
        classes_(in[0].shape[1]),
        logits_(elements<float>(in[0])),
        labels_(elements<std::int64_t>(in[1])),
        weights_(weighted ? elements<float>(in[2]) : nullptr) {
    for (std::int64_t n = 0; n < in[0].shape[0]; ++n) {
      if (labels_[n] < 0 || labels_[n] >= classes_) {
        throw Error("cross_entropy: the label of row " + std::to_string(n) + " is " +
                    std::to_string(labels_[n]) + "; there are " + std::to_string(classes_) + " classes.");
      }
      total_ += weight(labels_[n]);
    }
  }

  [[nodiscard]] double weight(std::int64_t k) const {
    return weights_ != nullptr ? static_cast<double>(weights_[k]) : 1;
  }
  /// Of all labels: what sums are divided by.
  [[nodiscard]] double total() const { return total_; }

  /// The share of class k in the target of row n.
  [[nodiscard]] double target(std::int64_t n, std::int64_t k) const {
    const double spread = op_.label_smoothing / static_cast<double>(classes_);
    return (spread + (labels_[n] == k ? 1 - op_.label_smoothing : 0)) * weight(k);
  }

  /// log softmax of row n.
  void log_probabilities(std::int64_t n, std::vector<double>& row) const {
    const float* x = logits_ + n * classes_;
    const auto most = static_cast<double>(*std::max_element(x, x + classes_));
    double sum = 0;
    for (std::int64_t k = 0; k < classes_; ++k) sum += std::exp(static_cast<double>(x[k]) - most);
    const double log_sum = std::log(sum) + most;
    for (std::int64_t k = 0; k < classes_; ++k) {
      row[static_cast<std::size_t>(k)] = static_cast<double>(x[k]) - log_sum;
    }
  }

 private:
  const ops::CrossEntropy& op_;
  std::int64_t classes_;
  const float* logits_;
  const std::int64_t* labels_;
  const float* weights_;
  double total_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> compile(const ops::CrossEntropy& op, const Signature& s) {
  return loop_kernel([op, weighted = s.inputs.size() == 3](std::span<const ConstTensorView> in,
                                                           std::span<const TensorView> out) {
    const Problem problem(op, in, weighted);
    const std::int64_t rows = in[0].shape[0], classes = in[0].shape[1];
    std::vector<double> logs(static_cast<std::size_t>(classes));
    double loss = 0;
    for (std::int64_t n = 0; n < rows; ++n) {
      problem.log_probabilities(n, logs);
      for (std::int64_t k = 0; k < classes; ++k) {
        const double share = problem.target(n, k);
        if (share != 0) loss -= share * logs[static_cast<std::size_t>(k)];
      }
    }
    *elements<float>(out[0]) = static_cast<float>(op.weight * loss / problem.total());
  });
}

// d/dx_k of -sum_j t_j log p_j is p_k sum_j t_j - t_k.
std::unique_ptr<Kernel> compile(const ops::CrossEntropyGradient& op, const Signature& s) {
  return loop_kernel([op, weighted = s.inputs.size() == 4](std::span<const ConstTensorView> in,
                                                           std::span<const TensorView> out) {
    const Problem problem(op.loss, in, weighted);
    const std::int64_t rows = in[0].shape[0], classes = in[0].shape[1];
    const double factor = op.loss.weight * static_cast<double>(*elements<float>(in.back())) / problem.total();
    std::vector<double> logs(static_cast<std::size_t>(classes));
    for (std::int64_t n = 0; n < rows; ++n) {
      problem.log_probabilities(n, logs);
      double target = 0;
      for (std::int64_t k = 0; k < classes; ++k) target += problem.target(n, k);
      for (std::int64_t k = 0; k < classes; ++k) {
        elements<float>(out[0])[n * classes + k] = static_cast<float>(
            factor * (std::exp(logs[static_cast<std::size_t>(k)]) * target - problem.target(n, k)));
      }
    }
  });
}

}  // namespace tpn::cpu
