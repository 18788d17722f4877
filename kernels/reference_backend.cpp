#include "kernels/reference_backend.h"

#include "kernels/convert.h"
#include "kernels/memory.h"
#include "kernels/preprocess/view_maker.h"

namespace tpn {
namespace {

/// Rounds values to what a type can hold.
void round_to(DType dtype, ops::Tensor64& tensor) {
  HostBuffer rounded(tensor.data.size() * size_of(dtype));
  const TensorView view{rounded.data(), dtype, tensor.shape};
  from_tensor64(tensor, view);
  tensor = to_tensor64(read_only(view));
}

class ReferenceKernel final : public Kernel {
 public:
  ReferenceKernel(const AnyOp& op, const Signature& signature, std::int64_t channel_alignment)
      : op_(op), alignment_(channel_alignment) {
    for (const Operand& input : signature.inputs) {
      input_strides_.push_back(input.pixel_stride);
      narrowed_.push_back(input.kind == Kind::weight && signature.outputs[0].kind == Kind::activation);
    }
    for (const Operand& output : signature.outputs) output_strides_.push_back(output.pixel_stride);
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const>, std::byte*, Stream&) const override {
    std::vector<ops::Tensor64> x, y;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      x.push_back(read(inputs[i], input_strides_[i]));
      if (narrowed_[i]) round_to(outputs[0].dtype, x.back());
    }
    for (const TensorView& output : outputs) y.emplace_back(output.shape);
    std::visit([&](const auto& op) { op.forward(x, y); }, op_);
    for (std::size_t i = 0; i < outputs.size(); ++i) write(y[i], outputs[i], output_strides_[i]);
  }

  [[nodiscard]] std::string implementation() const override { return "reference"; }

 private:
  static ops::Tensor64 read(const ConstTensorView& view, std::int64_t stride) {
    if (stride == 0) return to_tensor64(view);
    const HostBuffer memory(view.bytes());
    const TensorView dense{memory.data(), view.dtype, view.shape};
    gather_pixels(view.data, stride, dense);
    return to_tensor64(read_only(dense));
  }

  void write(const ops::Tensor64& tensor, const TensorView& view, std::int64_t stride) const {
    if (stride == 0) return from_tensor64(tensor, view);
    const std::int64_t channels = view.shape[4];
    Shape padded_shape = view.shape;
    padded_shape[4] = (channels + alignment_ - 1) / alignment_ * alignment_;
    ops::Tensor64 padded(padded_shape);
    for (std::size_t i = 0; i < tensor.data.size(); ++i) {
      const auto pixel = static_cast<std::int64_t>(i) / channels, c = static_cast<std::int64_t>(i) % channels;
      padded.data[static_cast<std::size_t>(pixel * padded_shape[4] + c)] = tensor.data[i];
    }
    const HostBuffer memory(static_cast<std::size_t>(padded_shape.count()) * size_of(view.dtype));
    const TensorView dense{memory.data(), view.dtype, padded_shape};
    from_tensor64(padded, dense);
    spread_pixels(dense, stride, view.data);
  }

  AnyOp op_;
  std::int64_t alignment_;
  std::vector<std::int64_t> input_strides_, output_strides_;
  std::vector<bool> narrowed_;  ///< weights that are multiplied in the type of the activations
};

}  // namespace

std::unique_ptr<Kernel> ReferenceBackend::compile(const AnyOp& op, const Signature& signature) const {
  return std::make_unique<ReferenceKernel>(op, signature, channel_alignment_);
}

std::unique_ptr<ViewMaker> ReferenceBackend::make_view_maker() const {
  if (channel_alignment_ != view_channels) return nullptr;
  return std::make_unique<ViewMaker>(*this, [](const ViewTask& task, Stream&) { make_views_on_host(task); });
}

}  // namespace tpn
