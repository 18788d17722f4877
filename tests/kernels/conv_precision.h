// The precisions in which CUDA devices run convolutions, for tests of each case in each.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/conv_form.h"
#include "kernels/verify/bound_case.h"
#include "kernels/verify/tolerance.h"

namespace tpn::test {

struct ConvPrecision {
  cuda::ConvType type = cuda::ConvType::f32;
  DType dtype = DType::f32;
  double tolerance = 0;

  [[nodiscard]] verify::BindOptions options() const {
    return {.precision = dtype, .tf32 = type == cuda::ConvType::tf32};
  }
  /// The same with pixels further apart than their channels.
  [[nodiscard]] verify::BindOptions slices() const {
    verify::BindOptions result = options();
    result.extra_input_stride = 16;
    result.extra_output_stride = 8;
    return result;
  }
  [[nodiscard]] std::string suite(const std::string& name) const {
    return name + "/cuda/" + cuda::name_of(type);
  }
};

inline constexpr std::array conv_precisions{
    ConvPrecision{cuda::ConvType::f32, DType::f32, verify::op_f32_relative_l2},
    ConvPrecision{cuda::ConvType::tf32, DType::f32, verify::op_tf32_relative_l2},
    ConvPrecision{cuda::ConvType::f16, DType::f16, verify::op_f16_relative_l2},
    ConvPrecision{cuda::ConvType::bf16, DType::bf16, verify::op_bf16_relative_l2}};

/// A case of an operation on a device, and what the reference makes of it, once for all kernels.
template <class Op>
class KernelComparison {
 public:
  /// c: must outlive this.
  KernelComparison(const ops::Case<Op>& c, const Backend& backend, double tolerance)
      : case_(c), backend_(backend), tolerance_(tolerance) {}

  void expect_agreement(const verify::BindOptions& options) {
    verify::BoundCase bound(case_, backend_, options);
    SCOPED_TRACE(bound.kernel().implementation());
    bound.run();
    if (expected_.empty()) expected_ = verify::reference_output(case_, bound);
    EXPECT_LE(verify::relative_l2(bound.output(), expected_), tolerance_);
    EXPECT_EQ(bound.stray_channels(), 0);
  }

 private:
  const ops::Case<Op>& case_;
  const Backend& backend_;
  double tolerance_;
  std::vector<float> expected_;
};

/// A NaN among the inputs of a case, and what the reference makes of it.
struct ReachingNan {
  std::int64_t at = 0;  ///< of verify::BindOptions
  std::vector<float> expected;
};

/// The first from the middle of input 0 on, pixel by pixel, that any output depends on.
template <class Op>
ReachingNan reaching_nan(const ops::Case<Op>& c) {
  const std::vector<ops::Tensor64> inputs = verify::random_inputs(c, 1, true);
  for (std::int64_t at = verify::middle_of(c); at < c.inputs[0].shape.count(); at += c.inputs[0].shape[4]) {
    std::vector<ops::Tensor64> with_nan = inputs;
    with_nan[0].data[static_cast<std::size_t>(at)] = std::numeric_limits<double>::quiet_NaN();
    ops::Tensor64 output(c.op.infer(c.inputs)[0].shape);
    c.op.forward(with_nan, {&output, 1});
    if (std::ranges::any_of(output.data, [](double value) { return std::isnan(value); })) {
      return {at, {output.data.begin(), output.data.end()}};
    }
  }
  throw Error("No output depends on the second half of the inputs of case " + c.label + ".");
}

/// Of the kernels that are compiled so each gives NaN where the reference does, and somewhere it does.
template <class Op>
void expect_nans_kept(const ops::Case<Op>& c, const Backend& backend,
                      std::vector<verify::BindOptions> kernels) {
  const ReachingNan nan = reaching_nan(c);
  for (verify::BindOptions& kernel : kernels) {
    kernel.nan_at = nan.at;
    verify::BoundCase bound(c, backend, kernel);
    bound.run();
    EXPECT_GT(verify::kept_nans(nan.expected, bound.output()), 0) << bound.kernel().implementation();
  }
}

}  // namespace tpn::test
