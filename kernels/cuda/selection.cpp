#include "kernels/cuda/selection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/conv3d_data_gradient.h"
#include "kernels/cuda/conv3d_weight_gradient.h"
#include "kernels/cuda/fused_conv3d.h"
#include "kernels/cuda/trial.h"
#if __has_include("tpn_cuda_build_id.h")
#include "tpn_cuda_build_id.h"
#else  // emulated: what is found out there holds for the process
#define TPN_CUDA_BUILD_ID "none"
#endif

namespace tpn::cuda {
namespace {

/// A chosen kernel and how it was chosen.
class SelectedKernel final : public Kernel {
 public:
  SelectedKernel(std::unique_ptr<Kernel> kernel, std::vector<CandidateReport> candidates)
      : kernel_(std::move(kernel)), candidates_(std::move(candidates)) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return kernel_->packings();
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    kernel_->run(inputs, outputs, packed, scratch, stream);
  }
  [[nodiscard]] std::size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  [[nodiscard]] std::string implementation() const override { return kernel_->implementation(); }
  [[nodiscard]] KernelWork work() const override { return kernel_->work(); }
  [[nodiscard]] std::vector<CandidateReport> candidates() const override { return candidates_; }
  [[nodiscard]] int in_place_input() const override { return kernel_->in_place_input(); }

 private:
  std::unique_ptr<Kernel> kernel_;
  std::vector<CandidateReport> candidates_;
};

/// Adds the seconds of its lifetime to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(double& sum) : sum_(sum) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { sum_ += std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  double& sum_;
  Clock::time_point start_ = Clock::now();
};

std::string text(const ops::Extent3& e) {
  return std::to_string(e[0]) + "," + std::to_string(e[1]) + "," + std::to_string(e[2]);
}

/// Of a convolution's attributes.
std::string text(const ops::Conv3d& conv) {
  return "stride " + text(conv.stride) + " padding " + text(conv.padding) + " groups " +
         std::to_string(conv.groups);
}

/// Of the operands, and whether their products may be rounded.
std::string text(const Signature& signature) {
  std::string text = signature.tf32 ? " tf32" : "";
  const auto add = [&](const Operand& operand) {
    text += "; " + to_string(operand.shape);
    if (operand.kind != Kind::activation) return;
    text += " " + std::string(name_of(operand.dtype)) + " every " +
            std::to_string(operand.pixel_stride != 0 ? operand.pixel_stride : operand.shape[4]);
  };
  for (const Operand& input : signature.inputs) add(input);
  add(signature.outputs[0]);
  return text;
}

/// Op: FusedConv3d, Conv3dDataGradient or Conv3dWeightGradient.
template <class Op>
class SelectableConvolution final : public Selectable {
 public:
  SelectableConvolution(const Op& op, const Signature& signature, std::span<const Library> libraries)
      : Selectable(signature), op_(op), libraries_(libraries) {}

  [[nodiscard]] std::string key() const override { return convolution_key(op_, signature()); }
  [[nodiscard]] Kernels candidates(std::vector<CandidateReport>& failures) const override {
    Kernels all = cuda::candidates(op_, signature());
    Kernels others = library_candidates(libraries_, op_, signature(), failures);
    all.insert(all.end() - 1, std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()));
    return all;
  }
  [[nodiscard]] std::unique_ptr<Kernel> named(std::string_view implementation) const override {
    if (!is_library_kernel(implementation)) return compile_named(op_, signature(), implementation);
    std::vector<CandidateReport> failures;
    Kernels found = library_candidates(libraries_, op_, signature(), failures, implementation);
    return found.empty() ? nullptr : std::move(found.front());
  }
  [[nodiscard]] std::unique_ptr<Kernel> guess() const override { return compile(op_, signature()); }
  [[nodiscard]] std::unique_ptr<Kernel> plain(const Signature& signature) const override {
    return compile_plain(op_, signature);
  }

 private:
  const Op& op_;
  std::span<const Library> libraries_;
};

}  // namespace

std::string selection_identity(const DeviceInfo& device, std::span<const Library> libraries) {
  return device.name + " " + std::to_string(device.major) + "." + std::to_string(device.minor) + ", driver " +
         driver_version() + ", CUDA " + runtime_version() + ", kernels " + TPN_CUDA_BUILD_ID +
         (libraries.empty() ? std::string(", own kernels only")
                            : ", libraries " + library_versions(libraries));
}

std::string convolution_key(const ops::FusedConv3d& op, const Signature& signature) {
  return text(op.conv) + " shift " + std::to_string(op.shift_fold) + (op.norm ? " norm" : "") +
         (op.residual ? " residual" : "") + (op.one_frame_residual ? " one frame" : "") +
         (op.relu ? " relu" : "") + text(signature);
}

std::string convolution_key(const ops::Conv3dDataGradient& op, const Signature& signature) {
  return "data gradient " + text(op.conv) + text(signature);
}

std::string convolution_key(const ops::Conv3dWeightGradient& op, const Signature& signature) {
  return "weight gradient " + text(op.conv) + text(signature);
}

std::unique_ptr<Kernel> KernelSelector::select(const ops::FusedConv3d& op, const Signature& signature) {
  return select(SelectableConvolution(op, signature, context_.libraries));
}

std::unique_ptr<Kernel> KernelSelector::select(const ops::Conv3d& op, const Signature& signature) {
  return select(ops::FusedConv3d{.conv = op}, signature);
}

std::unique_ptr<Kernel> KernelSelector::select(const ops::Conv3dDataGradient& op,
                                               const Signature& signature) {
  return select(SelectableConvolution(op, signature, context_.libraries));
}

std::unique_ptr<Kernel> KernelSelector::select(const ops::Conv3dWeightGradient& op,
                                               const Signature& signature) {
  return select(SelectableConvolution(op, signature, context_.libraries));
}

std::unique_ptr<Kernel> KernelSelector::select(const Selectable& operation) {
  const std::string key = context_.identity + "; " + operation.key();
  const std::lock_guard lock(mutex_);
  if (auto known = context_.store->find(key)) {
    const std::string& name = std::find_if(known->begin(), known->end(), [](const CandidateReport& c) {
                                return c.chosen;
                              })->implementation;
    if (auto kernel = operation.named(name)) {
      return std::make_unique<SelectedKernel>(std::move(kernel), *std::move(known));
    }
  }
  if (spent_seconds_ < context_.trial_seconds) {
    const Stopwatch stopwatch(spent_seconds_);
    try {
      return try_all(operation, key);
    } catch (const OutOfMemory&) {
      // A guess needs none; and what was not found out now may be another time.
    }
  }
  return operation.guess();
}

double KernelSelector::warm_seconds() const {
  constexpr std::chrono::seconds clocks_stay_up(1);
  const bool idle = !last_trial_ || Clock::now() - *last_trial_ > clocks_stay_up;
  return idle ? context_.warm_seconds : 0;
}

std::unique_ptr<Kernel> KernelSelector::try_all(const Selectable& operation, const std::string& key) {
  std::vector<CandidateReport> failures;
  Kernels all = operation.candidates(failures);
  std::vector<CandidateReport> reports =
      try_candidates([&](const Signature& signature) { return operation.plain(signature); },
                     operation.signature(), all, warm_seconds());
  last_trial_ = Clock::now();
  const auto winner =
      std::find_if(reports.begin(), reports.end(), [](const CandidateReport& c) { return c.chosen; });
  const bool found = winner != reports.end();
  std::unique_ptr<Kernel> kernel =
      found ? std::move(all[static_cast<std::size_t>(winner - reports.begin())]) : operation.guess();
  reports.insert(reports.end(), failures.begin(), failures.end());
  if (found) context_.store->put(key, reports);
  return std::make_unique<SelectedKernel>(std::move(kernel), std::move(reports));
}

}  // namespace tpn::cuda
