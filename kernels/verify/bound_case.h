// Runs one operation case on a backend and by its reference.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/convert.h"
#include "kernels/memory.h"
#include "kernels/verify/random_tensor.h"

namespace tpn::verify {

/// The inputs of a case, drawn at random; rounded to bf16 where every precision shall see the same.
template <class Op>
std::vector<ops::Tensor64> random_inputs(const ops::Case<Op>& c, std::uint32_t seed, bool rounded) {
  std::mt19937 generator(seed);
  std::vector<ops::Tensor64> inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    inputs.push_back(random_tensor(c.inputs[i].shape, c.range(i), generator, rounded));
    if (c.inputs[i].kind == Kind::index) std::ranges::fill(inputs.back().data, 3.0);
  }
  if constexpr (requires { c.op.constrain(std::span(inputs)); }) c.op.constrain(std::span(inputs));
  return inputs;
}

struct BindOptions {
  DType precision = DType::f32;
  bool tf32 = false;
  std::uint32_t seed = 1;
  /// Added to the pixel stride of the output, as if it were a slice of a wider tensor.
  std::int64_t extra_output_stride = 0;
  /// Likewise to those of the activations that are read; NaN lies between their pixels.
  std::int64_t extra_input_stride = 0;
  /// The element of input 0 that is NaN; -1: none.
  std::int64_t nan_at = -1;
  /// Changes the inputs that were drawn.
  std::function<void(std::span<ops::Tensor64> inputs)> adjust = {};
  /// Picks one of several kernels that the backend has; by default the one that plans use.
  std::function<std::unique_ptr<Kernel>(const AnyOp& op, const Signature& signature)> compile = {};
};

/// A case compiled on a backend with random inputs bound: run() as often as wanted.
class BoundCase {
 public:
  template <class Op>
  BoundCase(const ops::Case<Op>& c, const Backend& backend, BindOptions options)
      : backend_(backend), stream_(backend.make_stream()) {
    const bool rounded = options.precision == DType::bf16 || options.precision == DType::f16;
    reference_inputs_ = random_inputs(c, options.seed, rounded);
    if (options.adjust) options.adjust(reference_inputs_);
    if (options.nan_at >= 0) {
      reference_inputs_[0].data[static_cast<std::size_t>(options.nan_at)] =
          std::numeric_limits<double>::quiet_NaN();
    }
    std::vector<Operand> operands;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      const auto& [shape, kind, dtype] = c.inputs[i];
      const DType type = kind == Kind::activation ? options.precision : dtype;
      const HostBuffer& host =
          host_memory_.emplace_back(static_cast<std::size_t>(shape.count()) * size_of(type));
      const TensorView values{host.data(), type, shape};
      from_tensor64(reference_inputs_[i], values);
      operands.push_back(operand(c.inputs[i], type, options.extra_input_stride));
      if (kind != Kind::activation) operands.back().name = "input" + std::to_string(i);
      inputs_.push_back(read_only(upload(values, operands.back())));
    }
    for (const TensorSpec& spec : c.op.infer(c.inputs)) {
      const DType type = spec.kind == Kind::activation ? options.precision : spec.dtype;
      results_.push_back(operand(spec, type, options.extra_output_stride));
      outputs_.push_back(allocate(results_.back()));
    }
    const Signature signature{operands, results_, options.tf32};
    kernel_ = options.compile ? options.compile(AnyOp(c.op), signature) : backend.compile(c.op, signature);
    scratch_ = backend.allocate(kernel_->scratch_bytes());
    pack();
    stream_->synchronize();
  }
  template <class Op>
  BoundCase(const ops::Case<Op>& c, const Backend& backend, DType precision, std::uint32_t seed = 1)
      : BoundCase(c, backend, BindOptions{.precision = precision, .seed = seed}) {}

  void run() {
    kernel_->run(inputs_, outputs_, packed_, scratch_.data(), *stream_);
    stream_->synchronize();
  }

  /// Runs with output 0 in the memory of the kernel's in-place input, which the run overwrites.
  void run_in_place() {
    const auto shared = static_cast<std::size_t>(kernel_->in_place_input());
    outputs_[0].data = const_cast<std::byte*>(inputs_[shared].data);
    run();
  }

  /// Runs with state in its place: outputs that are inputs updated have their memory.
  void run_updating(std::span<const ops::Alias> aliases) {
    for (const ops::Alias& alias : aliases) {
      outputs_[alias.output].data = const_cast<std::byte*>(inputs_[alias.input].data);
    }
    run();
  }

  [[nodiscard]] const Kernel& kernel() const { return *kernel_; }
  [[nodiscard]] const std::vector<ops::Tensor64>& reference_inputs() const { return reference_inputs_; }
  [[nodiscard]] std::size_t output_count() const { return results_.size(); }
  [[nodiscard]] const Operand& output_operand(std::size_t index) const { return results_[index]; }
  [[nodiscard]] std::vector<float> output(std::size_t index = 0) const {
    const Operand& result = results_[index];
    const HostBuffer values(static_cast<std::size_t>(result.shape.count()) * size_of(result.dtype));
    const TensorView dense{values.data(), result.dtype, result.shape};
    gather_pixels(downloaded(index).data(), stride_of(result), dense);
    const ops::Tensor64 tensor = to_tensor64(read_only(dense));
    return {tensor.data.begin(), tensor.data.end()};
  }

  /// Channels of output 0 past the last that are not zeros, where the backend pads channels, and elements
  /// beyond the padding that are not as they were before the run.
  [[nodiscard]] std::int64_t stray_channels() const {
    const Operand& result = results_.front();
    const Buffer memory = downloaded(0);
    const std::size_t element = size_of(result.dtype);
    const std::int64_t channels = channels_of(result), padded = pad(channels);
    std::int64_t strays = 0;
    for (std::int64_t at = 0; at < pixels_of(result) * stride_of(result); ++at) {
      const std::int64_t c = at % stride_of(result);
      if (c < channels) continue;
      const std::byte expected = c < padded ? std::byte{0} : poison;
      const std::byte* first = memory.data() + static_cast<std::size_t>(at) * element;
      if (std::any_of(first, first + element, [&](std::byte b) { return b != expected; })) ++strays;
    }
    return strays;
  }

 private:
  /// Makes the forms of parameters that the kernel reads, which then has no use for the parameters.
  void pack() {
    for (const auto& packing : kernel_->packings()) {
      std::vector<ConstTensorView> sources;
      for (const std::size_t source : packing->sources()) sources.push_back(inputs_[source]);
      const Buffer& form = device_memory_.emplace_back(backend_.allocate(packing->bytes()));
      packing->pack(sources, form.data(), *stream_);
      packed_.push_back(form.data());
    }
    for (const auto& packing : kernel_->packings()) {
      for (const std::size_t source : packing->sources()) inputs_[source].data = nullptr;
    }
  }

  static constexpr std::byte poison{0xff};  // NaN in every floating type

  [[nodiscard]] std::int64_t pad(std::int64_t channels) const {
    const std::int64_t to = backend_.channel_alignment();
    return (channels + to - 1) / to * to;
  }
  static std::int64_t channels_of(const Operand& o) {
    return o.shape.rank() == 0 ? 1 : o.shape[o.shape.rank() - 1];
  }
  static std::int64_t pixels_of(const Operand& o) { return o.shape.count() / channels_of(o); }
  static std::int64_t stride_of(const Operand& o) {
    return o.pixel_stride != 0 ? o.pixel_stride : channels_of(o);
  }
  /// Channels of a pixel that kernels read and write: those of the padding too.
  [[nodiscard]] std::int64_t stored_channels(const Operand& o) const {
    return o.kind == Kind::activation ? pad(channels_of(o)) : channels_of(o);
  }
  static std::size_t bytes_of(const Operand& o) {
    return static_cast<std::size_t>(pixels_of(o) * stride_of(o)) * size_of(o.dtype);
  }

  [[nodiscard]] Operand operand(const TensorSpec& spec, DType type, std::int64_t extra_stride) const {
    Operand result{.shape = spec.shape, .dtype = type, .kind = spec.kind};
    if (spec.kind == Kind::activation) result.pixel_stride = pad(channels_of(result)) + extra_stride;
    return result;
  }

  /// Filled with poison.
  TensorView allocate(const Operand& operand) {
    const Buffer& memory = device_memory_.emplace_back(backend_.allocate(bytes_of(operand)));
    const Buffer staging = backend_.allocate_staging(bytes_of(operand));
    std::fill_n(staging.data(), bytes_of(operand), poison);
    stream_->upload(memory.data(), staging.data(), bytes_of(operand));
    stream_->synchronize();
    return {memory.data(), operand.dtype, operand.shape};
  }

  TensorView upload(const TensorView& values, const Operand& operand) {
    const TensorView view = allocate(operand);
    const Buffer staging = backend_.allocate_staging(bytes_of(operand));
    std::fill_n(staging.data(), bytes_of(operand), poison);
    const std::size_t pixel = static_cast<std::size_t>(stride_of(operand)) * size_of(operand.dtype);
    const std::size_t stored = static_cast<std::size_t>(stored_channels(operand)) * size_of(operand.dtype);
    for (std::size_t at = 0; at < bytes_of(operand); at += pixel) {
      std::fill_n(staging.data() + at, stored, std::byte{0});
    }
    spread_pixels(values, stride_of(operand), staging.data());
    stream_->upload(view.data, staging.data(), bytes_of(operand));
    stream_->synchronize();
    return view;
  }

  [[nodiscard]] Buffer downloaded(std::size_t index) const {
    const std::size_t bytes = bytes_of(results_[index]);
    Buffer staging = backend_.allocate_staging(bytes);
    stream_->download(staging.data(), outputs_[index].data, bytes);
    stream_->synchronize();
    return staging;
  }

  const Backend& backend_;
  std::unique_ptr<Stream> stream_;
  std::vector<HostBuffer> host_memory_;
  std::vector<Buffer> device_memory_;
  std::vector<ops::Tensor64> reference_inputs_;
  std::vector<ConstTensorView> inputs_;
  std::vector<TensorView> outputs_;
  std::vector<Operand> results_;
  std::unique_ptr<Kernel> kernel_;
  std::vector<const std::byte*> packed_;
  Buffer scratch_;
};

/// For BindOptions: an element in the middle of a case's input 0.
template <class Op>
std::int64_t middle_of(const ops::Case<Op>& c) {
  return c.inputs[0].shape.count() / 2;
}

/// How many elements are NaN in `expected`, or -1 when one of them is not in `found`. More may be: a kernel
/// may read further and multiply by zero.
inline std::int64_t kept_nans(std::span<const float> expected, std::span<const float> found) {
  std::int64_t kept = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!std::isnan(expected[i])) continue;
    if (!std::isnan(found[i])) return -1;
    ++kept;
  }
  return kept;
}

/// The reference's outputs for the inputs of a bound case, as floats.
template <class Op>
std::vector<std::vector<float>> reference_outputs(const ops::Case<Op>& c, const BoundCase& bound) {
  std::vector<ops::Tensor64> outputs;
  for (const TensorSpec& spec : c.op.infer(c.inputs)) outputs.emplace_back(spec.shape);
  c.op.forward(bound.reference_inputs(), outputs);
  std::vector<std::vector<float>> floats;
  floats.reserve(outputs.size());
  for (const ops::Tensor64& output : outputs) floats.emplace_back(output.data.begin(), output.data.end());
  return floats;
}
/// The first of them.
template <class Op>
std::vector<float> reference_output(const ops::Case<Op>& c, const BoundCase& bound) {
  return reference_outputs(c, bound).front();
}

}  // namespace tpn::verify
