#include "kernels/reference_backend.h"

#include "kernels/convert.h"
#include "kernels/memory.h"

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
  ReferenceKernel(const AnyOp& op, std::span<const Operand> inputs, DType precision)
      : op_(op), constants_(inputs.size()) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].constant) continue;
      constants_[i] = to_tensor64(inputs[i].constant->view);
      if (inputs[i].shape.rank() >= 4) round_to(precision, constants_[i]);
    }
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs, std::byte*,
           Stream&) const override {
    std::vector<ops::Tensor64> x(constants_), y;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].data) x[i] = to_tensor64(inputs[i]);
    }
    for (const TensorView& output : outputs) y.emplace_back(output.shape);
    std::visit([&](const auto& op) { op.forward(x, y); }, op_);
    for (std::size_t i = 0; i < outputs.size(); ++i) from_tensor64(y[i], outputs[i]);
  }

  [[nodiscard]] std::string implementation() const override { return "reference"; }

 private:
  AnyOp op_;
  std::vector<ops::Tensor64> constants_;  ///< empty where the input is bound at run time
};

}  // namespace

std::unique_ptr<Kernel> ReferenceBackend::compile(const AnyOp& op, const Signature& signature) const {
  return std::make_unique<ReferenceKernel>(op, signature.inputs, signature.outputs[0].dtype);
}

}  // namespace tpn
