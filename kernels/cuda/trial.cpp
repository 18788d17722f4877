#include "kernels/cuda/trial.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/trial_kernels.h"

namespace tpn::cuda {
namespace {

constexpr std::int64_t reference_views = 2;
constexpr double give_up_factor = 3;
constexpr double timed_seconds = 1e-3;
constexpr int timed_rounds = 3;
constexpr int most_runs = 200;

bool has_views(const Operand& operand) {
  return operand.kind == Kind::activation;
}

TrialTensor tensor_of(const Operand& operand) {
  const Shape& s = operand.shape;
  const std::int64_t channels = s.rank() == 0 ? 1 : s[s.rank() - 1];
  return {nullptr, operand.dtype, s.count() / channels, channels,
          operand.pixel_stride != 0 ? operand.pixel_stride : channels};
}

/// A tensor of the trial and the memory it lies in.
struct OwnedTensor {
  TrialTensor tensor;
  Shape shape;
  Buffer memory;

  explicit OwnedTensor(const Operand& operand)
      : tensor(tensor_of(operand)), shape(operand.shape), memory(allocate_device(tensor.bytes())) {
    tensor.data = memory.data();
  }
  [[nodiscard]] TensorView view() const { return {tensor.data, tensor.dtype, shape}; }
  /// Pixels of so many views.
  [[nodiscard]] std::int64_t pixels_of(std::int64_t views) const { return tensor.pixels / shape[0] * views; }
};

/// The signature with fewer views.
class FewerViews {
 public:
  FewerViews(const Signature& signature, std::int64_t views)
      : inputs_(signature.inputs.begin(), signature.inputs.end()),
        outputs_(signature.outputs.begin(), signature.outputs.end()),
        signature_{inputs_, outputs_, signature.tf32} {
    for (std::vector<Operand>* operands : {&inputs_, &outputs_}) {
      for (Operand& operand : *operands) {
        if (has_views(operand)) operand.shape[0] = views;
      }
    }
  }
  FewerViews(const FewerViews&) = delete;
  FewerViews& operator=(const FewerViews&) = delete;
  ~FewerViews() = default;

  [[nodiscard]] const Signature& get() const { return signature_; }

 private:
  std::vector<Operand> inputs_, outputs_;
  Signature signature_;
};

class Trial {
 public:
  Trial(const CompilePlain& plain, const Signature& signature, double warm_seconds)
      : stream_(make_stream()),
        warm_seconds_(warm_seconds),
        tolerance_(trial_tolerance(signature.inputs[0].dtype, signature.tf32)),
        y_(signature.outputs[0]) {
    const std::int64_t views = signature.inputs[0].shape[0];
    const std::int64_t repeated = std::min(views, reference_views);
    std::uint32_t seed = 1;
    owned_.reserve(signature.inputs.size());
    for (const Operand& input : signature.inputs) {
      const OwnedTensor& made = owned_.emplace_back(input);
      fill(input, made, repeated, seed++);
      inputs_.push_back(read_only(made.view()));
    }
    const bool few = has_views(signature.outputs[0]);
    compute_reference(plain, FewerViews(signature, few ? repeated : views).get(),
                      few ? static_cast<double>(views) / static_cast<double>(repeated) : 1);
  }

  /// best: seconds of the best candidate so far.
  CandidateReport run(const Kernel& kernel, std::optional<double> best) {
    CandidateReport report{.implementation = kernel.implementation()};
    if (report.implementation == plain_ && best && plain_seconds_ > give_up_factor * *best) {
      report.seconds = plain_seconds_;  // by the views of the reference
      return report;
    }
    try {
      scratch_ = allocate_device(kernel.scratch_bytes());
      packed_ = pack(kernel);
      check_output(kernel, report);
      if (report.reason.empty()) {
        warm_up(kernel);
        report.seconds = time(kernel, best);
      }
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& e) {
      report.reason = e.what();
      require_working_device(*stream_, "the trial of " + report.implementation + " (" + e.what() + ")");
    }
    return report;
  }

 private:
  void enqueue(const Kernel& kernel) {
    const std::vector<TensorView> outputs{y_.view()};
    kernel.run(inputs_, outputs, packed_, scratch_.data(), *stream_);
  }

  /// views: after which activations repeat.
  void fill(const Operand& operand, const OwnedTensor& made, std::int64_t views, std::uint32_t seed) {
    const auto parameter = [&](float low, float high) {
      fill_random(reinterpret_cast<float*>(made.tensor.data), operand.shape.count(), low, high, seed,
                  *stream_);
    };
    switch (operand.kind) {
      case Kind::activation:
        return fill_random(made.tensor, made.pixels_of(views), seed, *stream_);
      case Kind::matrix:
        return fill_random(made.tensor, made.tensor.pixels, seed, *stream_);
      case Kind::weight: {
        const std::int64_t summed = operand.shape.count() / operand.shape[0];
        const float limit = std::sqrt(3 / static_cast<float>(summed));
        return parameter(-limit, limit);
      }
      case Kind::per_channel:
      case Kind::scalar:
        return parameter(0.5F, 1.5F);
      case Kind::index:
        return stream_->clear(made.tensor.data, made.tensor.bytes());
    }
  }

  /// The forms of parameters that the kernel reads; those that it shares with one before are there.
  std::vector<const std::byte*> pack(const Kernel& kernel) {
    std::vector<const std::byte*> packed;
    for (const auto& packing : kernel.packings()) {
      const auto [form, is_new] = forms_.try_emplace(packing->key());
      if (is_new) {
        std::vector<ConstTensorView> sources;
        for (const std::size_t source : packing->sources()) sources.push_back(inputs_[source]);
        form->second = allocate_device(packing->bytes());
        packing->pack(sources, form->second.data(), *stream_);
      }
      packed.push_back(form->second.data());
    }
    return packed;
  }

  void compute_reference(const CompilePlain& compile, const Signature& few, double share) {
    const std::unique_ptr<Kernel> plain = compile(few);
    plain_ = plain->implementation();
    reference_.emplace(few.outputs[0]);
    fill_nan(reference_->tensor, *stream_);
    const std::vector<TensorView> outputs{reference_->view()};
    const Buffer scratch = allocate_device(plain->scratch_bytes());
    const std::vector<const std::byte*> packed = pack(*plain);
    const auto before = stream_->mark();
    plain->run(inputs_, outputs, packed, scratch.data(), *stream_);
    plain_seconds_ = stream_->mark()->seconds_since(*before) * share;
    stream_->synchronize();
  }

  void check_output(const Kernel& kernel, CandidateReport& report) {
    fill_nan(y_.tensor, *stream_);
    enqueue(kernel);
    const Comparison found = compare(y_.tensor, reference_->tensor, *stream_);
    report.relative_error = found.relative_error;
    if (!(found.relative_error <= tolerance_)) {
      report.reason = "It deviates from the plain kernel by " + std::to_string(found.relative_error) +
                      ", more than " + std::to_string(tolerance_) + ".";
    } else if (found.strays > 0) {
      report.reason = "It writes " + std::to_string(found.strays) + " elements that are not its own.";
    }
  }

  /// Before the first that is timed: an idle device's clocks are low.
  void warm_up(const Kernel& kernel) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration<double>(std::exchange(warm_seconds_, 0.0));
    while (Clock::now() < end) {
      enqueue(kernel);
      stream_->synchronize();
    }
  }

  double time(const Kernel& kernel, std::optional<double> best) {
    const auto measure = [&](int runs, const auto& work) {
      const auto before = stream_->mark();
      work();
      return stream_->mark()->seconds_since(*before) / runs;
    };
    const double first = measure(1, [&] { enqueue(kernel); });
    if (best && first > give_up_factor * *best + timed_seconds) return first;
    const int runs = static_cast<int>(
        std::clamp(std::ceil(timed_seconds / std::max(first, 1e-9)), 1.0, static_cast<double>(most_runs)));
    const auto recorded = stream_->record([&] {
      for (int i = 0; i < runs; ++i) enqueue(kernel);
    });
    double fastest = 0;
    for (int round = 0; round < timed_rounds; ++round) {
      const double seconds = measure(runs, [&] { recorded->replay(*stream_); });
      fastest = round == 0 ? seconds : std::min(fastest, seconds);
    }
    return fastest;
  }

  std::unique_ptr<Stream> stream_;
  double warm_seconds_;
  double tolerance_;
  OwnedTensor y_;
  std::vector<OwnedTensor> owned_;
  std::vector<ConstTensorView> inputs_;
  std::optional<OwnedTensor> reference_;
  Buffer scratch_;
  std::map<std::string, Buffer> forms_;   // by the keys of their packings
  std::vector<const std::byte*> packed_;  // what the kernel that is tried reads of them
  std::string plain_;                     // the plain kernel's name
  double plain_seconds_ = 0;              // for all views
};

}  // namespace

double trial_tolerance(DType dtype, bool tf32) {
  switch (dtype) {
    case DType::bf16:
      return 1e-2;
    case DType::f16:
      return 1.25e-3;
    default:
      return tf32 ? 1e-3 : 1e-5;
  }
}

std::vector<CandidateReport> try_candidates(const CompilePlain& plain, const Signature& signature,
                                            std::span<const std::unique_ptr<Kernel>> candidates,
                                            double warm_seconds) {
  Trial trial(plain, signature, warm_seconds);
  std::vector<CandidateReport> reports;
  std::optional<std::size_t> best;
  for (const auto& candidate : candidates) {
    reports.push_back(trial.run(*candidate, best ? std::optional(reports[*best].seconds) : std::nullopt));
    const CandidateReport& report = reports.back();
    if (report.reason.empty() && (!best || report.seconds < reports[*best].seconds)) {
      best = reports.size() - 1;
    }
  }
  if (best) reports[*best].chosen = true;
  return reports;
}

}  // namespace tpn::cuda
