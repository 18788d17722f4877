// Runs one operation case on a backend and by its reference.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "kernels/backend.h"
#include "kernels/convert.h"
#include "kernels/memory.h"
#include "tests/support/random_tensor.h"

namespace tpn::test {

/// Which inputs of an operation are weights: all but the activations.
template <class Op>
bool is_weight(const Op&, std::size_t) {
  return false;
}
inline bool is_weight(const ops::Conv3d&, std::size_t input) {
  return input == 1;
}
inline bool is_weight(const ops::BatchNorm&, std::size_t input) {
  return input >= 1;
}
inline bool is_weight(const ops::Linear&, std::size_t input) {
  return input >= 1;
}
inline bool is_weight(const ops::FusedConv3d& op, std::size_t input) {
  return input >= 1 && !(op.residual && input + 1 == op.input_count());
}
inline bool is_weight(const ops::TemporalModulation&, std::size_t input) {
  return input == 1;
}
inline bool is_weight(const ops::LevelFusion&, std::size_t input) {
  return input >= 1;
}
inline bool is_weight(const ops::Classifier&, std::size_t input) {
  return input >= 1;
}

/// A case compiled on a backend with random inputs bound: run() as often as wanted.
class BoundCase {
 public:
  template <class Op>
  BoundCase(const ops::Case<Op>& c, const Backend& backend, DType precision, std::uint32_t seed = 1) {
    std::mt19937 generator(seed);
    std::vector<Operand> operands, results;
    constants_.reserve(c.inputs.size());
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      const bool weight = is_weight(c.op, i);
      const DType type = weight || c.inputs[i].rank() == 2 ? DType::f32 : precision;
      reference_inputs_.push_back(
          random_tensor(c.inputs[i], c.range(i), generator, precision == DType::bf16));
      TensorView view = allocate(type, c.inputs[i]);
      from_tensor64(reference_inputs_.back(), view);
      if (weight) {
        constants_.push_back({"input" + std::to_string(i), read_only(view), {}});
        operands.push_back({c.inputs[i], type, &constants_.back()});
        inputs_.push_back({nullptr, type, c.inputs[i]});
      } else {
        operands.push_back({c.inputs[i], type, nullptr});
        inputs_.push_back(read_only(view));
      }
    }
    for (const Shape& shape : c.op.infer(c.inputs)) {
      const DType type = shape.rank() == 2 ? DType::f32 : precision;
      results.push_back({shape, type, nullptr});
      outputs_.push_back(allocate(type, shape));
    }
    kernel_ = backend.compile(c.op, operands, results, prepared_);
    scratch_ = HostBuffer(kernel_->scratch_bytes());
  }

  void run() { kernel_->run(inputs_, outputs_, scratch_.data()); }

  /// Runs with output 0 in the memory of the kernel's in-place input, which the run overwrites.
  void run_in_place() {
    const auto shared = static_cast<std::size_t>(kernel_->in_place_input());
    outputs_[0].data = const_cast<std::byte*>(inputs_[shared].data);
    run();
  }

  [[nodiscard]] const Kernel& kernel() const { return *kernel_; }
  [[nodiscard]] const std::vector<ops::Tensor64>& reference_inputs() const { return reference_inputs_; }
  [[nodiscard]] std::vector<float> output() const { return to_floats(read_only(outputs_[0])); }

 private:
  TensorView allocate(DType type, const Shape& shape) {
    TensorView view{nullptr, type, shape};
    memory_.emplace_back(view.bytes());
    view.data = memory_.back().data();
    return view;
  }

  std::vector<HostBuffer> memory_;
  std::vector<Constant> constants_;
  std::vector<ops::Tensor64> reference_inputs_;
  std::vector<ConstTensorView> inputs_;
  std::vector<TensorView> outputs_;
  PreparedWeights prepared_;
  std::unique_ptr<Kernel> kernel_;
  HostBuffer scratch_;
};

/// The reference's output for the inputs of a bound case, as floats.
template <class Op>
std::vector<float> reference_output(const ops::Case<Op>& c, const BoundCase& bound) {
  std::vector<ops::Tensor64> outputs;
  for (const Shape& shape : c.op.infer(c.inputs)) outputs.emplace_back(shape);
  c.op.forward(bound.reference_inputs(), outputs);
  return {outputs[0].data.begin(), outputs[0].data.end()};
}

}  // namespace tpn::test
