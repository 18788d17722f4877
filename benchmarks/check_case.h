// Compares what a kernel computed for an operation case with the operation's reference.
#pragma once

#include <cmath>
#include <concepts>
#include <type_traits>
#include <vector>

#include "kernels/verify/bound_case.h"
#include "kernels/verify/tolerance.h"

namespace tpn::benchmarks {

/// Elements of a convolution's output and what they should be.
struct SampledOutput {
  std::vector<std::size_t> indices;
  std::vector<float> expected;
};

/// Evaluates the reference of a convolution at a few hundred output elements: at corners of the image in
/// space and time, where padding counts, and at random places. Each element is the reference of a convolution
/// of its own, of the part of the input under the kernel with the filter of that channel.
SampledOutput sample_reference(const ops::FusedConv3d& op, std::span<const ops::Tensor64> inputs);

/// Relative L2 deviation of what the bound case's last run gave from the reference: of the output that
/// deviates most; NaN when a NaN is involved. Convolutions of full-size layers are compared at sampled
/// elements, everything else as a whole.
template <class Op>
double deviation_from_reference(const ops::Case<Op>& c, const verify::BoundCase& bound) {
  if constexpr (std::same_as<Op, ops::FusedConv3d> || std::same_as<Op, ops::Conv3d>) {
    if (c.full_size) {
      ops::FusedConv3d op;
      if constexpr (std::same_as<Op, ops::Conv3d>) {
        op.conv = c.op;
      } else {
        op = c.op;
      }
      const SampledOutput sample = sample_reference(op, bound.reference_inputs());
      const std::vector<float> output = bound.output();
      std::vector<float> found;
      for (const std::size_t index : sample.indices) found.push_back(output[index]);
      return verify::relative_l2(found, sample.expected);
    }
  }
  const std::vector<std::vector<float>> expected = verify::reference_outputs(c, bound);
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double deviation = verify::relative_l2(bound.output(i), expected[i]);
    if (!(deviation <= worst)) worst = deviation;  // NaN counts as worst
    if (std::isnan(worst)) break;
  }
  return worst;
}

/// The largest deviation that is no error.
inline double case_tolerance(DType precision) {
  if (precision == DType::bf16) return verify::op_bf16_relative_l2;
  return precision == DType::f16 ? verify::op_f16_relative_l2 : verify::op_f32_relative_l2;
}

/// Bytes that an operation has to move at least: every input and output once. Activations are stored in
/// `precision`, and so are the weights that make them.
inline std::int64_t bytes_moved(std::span<const TensorSpec> inputs, std::span<const TensorSpec> outputs,
                                DType precision) {
  const bool makes_activations = outputs.front().kind == Kind::activation;
  std::int64_t bytes = 0;
  for (const auto& specs : {inputs, outputs}) {
    for (const auto& [shape, kind, dtype] : specs) {
      const bool narrowed = kind == Kind::activation || (kind == Kind::weight && makes_activations);
      bytes += shape.count() * static_cast<std::int64_t>(size_of(narrowed ? precision : dtype));
    }
  }
  return bytes;
}

}  // namespace tpn::benchmarks
