// Every kernel that can run a gradient of a convolution on a CUDA device, whatever the estimate would choose,
// against the operation's reference.
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/conv3d_data_gradient.h"
#include "kernels/cuda/conv3d_weight_gradient.h"
#include "kernels/cuda/conv_schedule.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/fused_conv3d.h"
#include "tests/support/run_case.h"
#include "tests/support/tolerance.h"

namespace tpn {
namespace {

using cuda::ConvType;
using cuda::ConvVariant;
using cuda::WeightGradientVariant;
using ops::Conv3d;
using ops::Conv3dDataGradient;
using ops::Conv3dWeightGradient;
using test::BindOptions;
using test::BoundCase;

/// A convolution whose gradients are taken.
struct ConvCase {
  std::string label;
  Conv3d conv;
  Shape x, weight;
};

/// Beyond the operation's own: tails in every direction, many steps, groups, strides of which some positions
/// of x see no window, and windows that see nothing but padding.
std::vector<ConvCase> further_cases() {
  const Conv3d spatial{.padding = {0, 1, 1}}, temporal{.padding = {1, 0, 0}};
  return {
      {"tails", spatial, {2, 3, 9, 11, 40}, {72, 40, 1, 3, 3}},
      {"wide", {}, {1, 2, 5, 7, 24}, {300, 24, 1, 1, 1}},
      {"many_channels", temporal, {1, 3, 3, 3, 264}, {24, 264, 3, 1, 1}},
      {"many_positions", temporal, {2, 3, 8, 9, 16}, {8, 16, 3, 1, 1}},
      {"time_and_space", {.stride = {2, 1, 3}, .padding = {1, 2, 0}}, {2, 5, 6, 7, 16}, {16, 16, 3, 5, 2}},
      {"strided_with_rim", {.stride = {1, 2, 2}, .padding = {0, 0, 1}}, {1, 2, 8, 10, 16}, {24, 16, 1, 3, 3}},
      {"strides_over_taps", {.stride = {3, 3, 2}}, {1, 5, 8, 6, 8}, {16, 8, 1, 2, 1}},
      {"padding_over_taps", {.stride = {1, 2, 1}, .padding = {2, 1, 1}}, {1, 2, 5, 4, 8}, {8, 8, 3, 1, 1}},
      {"channels_without_step", temporal, {1, 3, 5, 5, 13}, {21, 13, 3, 1, 1}},
      {"groups_of_8", {.padding = {1, 0, 0}, .groups = 8}, {1, 4, 5, 5, 64}, {64, 8, 3, 1, 1}},
      {"groups_of_32",
       {.stride = {1, 2, 2}, .padding = {0, 1, 1}, .groups = 2},
       {1, 2, 7, 5, 64},
       {144, 32, 1, 3, 3}},
      {"groups_of_12", {.groups = 4}, {2, 2, 5, 5, 48}, {32, 12, 1, 1, 1}},
      {"groups_to_3", {.groups = 2}, {2, 2, 5, 5, 32}, {6, 16, 1, 1, 1}},
      {"eleven_taps", {.padding = {0, 0, 5}}, {1, 1, 3, 14, 8}, {8, 8, 1, 1, 11}},
  };
}

/// For kernels that fetch boxes: data gradients those of 64 channels of dy, weight gradients of 64 channels
/// of dy and x. Boxes that do not fill a step, reach over the edges of y and of x, and over all views.
std::vector<ConvCase> box_cases() {
  const Conv3d spatial{.padding = {0, 1, 1}};
  return {
      {"box_7x7", spatial, {3, 2, 7, 7, 64}, {64, 64, 1, 3, 3}},
      {"box_halved", {.stride = {1, 2, 2}, .padding = {0, 1, 1}}, {1, 2, 14, 13, 64}, {64, 64, 1, 3, 3}},
      {"box_shortcut", {.stride = {1, 2, 2}}, {2, 1, 9, 8, 192}, {128, 192, 1, 1, 1}},
      {"box_strides", {.stride = {2, 2, 3}, .padding = {1, 1, 0}}, {2, 5, 9, 11, 64}, {64, 64, 3, 3, 3}},
      {"box_many_steps", {.padding = {1, 0, 0}}, {2, 3, 5, 6, 320}, {192, 320, 3, 1, 1}},
      {"box_to_21", {.padding = {1, 0, 0}}, {21, 3, 2, 3, 64}, {21, 64, 3, 1, 1}},
      {"box_to_264", {}, {1, 2, 17, 9, 64}, {264, 64, 1, 1, 1}},
      {"box_from_40", spatial, {1, 3, 9, 5, 40}, {128, 40, 1, 3, 3}},
  };
}

std::vector<ConvCase> all_cases() {
  std::vector<ConvCase> cases = further_cases();
  for (const ops::Case<Conv3d>& c : Conv3d::cases()) {
    cases.push_back({c.label, c.op, c.inputs[0].shape, c.inputs[1].shape});
  }
  return cases;
}

ops::Case<Conv3dDataGradient> data_gradient(const ConvCase& c) {
  return {c.label,
          {c.conv, {c.x[1], c.x[2], c.x[3]}},
          {activation(c.conv.output(c.x, c.weight)), weight(c.weight)}};
}
ops::Case<Conv3dWeightGradient> weight_gradient(const ConvCase& c) {
  return {c.label, {c.conv, c.weight}, {activation(c.x), activation(c.conv.output(c.x, c.weight))}};
}

#ifdef CUDA_ON_CPU_RACE
constexpr std::size_t step = 4;  // of variants: the race checker is slow
#else
constexpr std::size_t step = 1;
#endif

struct Precision {
  ConvType type;
  DType dtype;
  double tolerance;
};

class CudaConv3dGradient : public ::testing::TestWithParam<Precision> {
 protected:
  [[nodiscard]] BindOptions options() const {
    return {.precision = GetParam().dtype, .tf32 = GetParam().type == ConvType::tf32};
  }

  template <class Op>
  static BindOptions plain(BindOptions options) {
    options.compile = [](const AnyOp& op, const Signature& signature) {
      return cuda::compile_plain(std::get<Op>(op), signature);
    };
    return options;
  }

  static BindOptions data_product(BindOptions options, const ConvVariant& variant, int splits) {
    options.compile = [variant, splits](const AnyOp& op, const Signature& signature) {
      return cuda::compile_product(std::get<Conv3dDataGradient>(op), signature, variant, splits);
    };
    return options;
  }
  static BindOptions weight_product(BindOptions options, const WeightGradientVariant& variant, int splits) {
    options.compile = [variant, splits](const AnyOp& op, const Signature& signature) {
      return cuda::compile_product(std::get<Conv3dWeightGradient>(op), signature, variant, splits);
    };
    return options;
  }
  static BindOptions slices(BindOptions options) {
    options.extra_input_stride = 16;
    options.extra_output_stride = 8;
    return options;
  }

  /// Those of the variants by which a gradient runs as products; none where it cannot.
  template <class Op, class Variant>
  [[nodiscard]] std::vector<Variant> running(const ops::Case<Op>& c, std::vector<Variant> variants) const {
    BindOptions asking = options();
    asking.compile = [&](const AnyOp& op, const Signature& signature) {
      std::erase_if(variants, [&](const Variant& variant) {
        return cuda::compile_product(std::get<Op>(op), signature, variant, 1) == nullptr;
      });
      return cuda::compile_plain(std::get<Op>(op), signature);
    };
    const BoundCase bound(c, backend_, asking);
    return variants;
  }
  [[nodiscard]] std::vector<ConvVariant> variants(const ops::Case<Conv3dDataGradient>& c) const {
    return running(c, cuda::conv_variants(GetParam().type));
  }
  [[nodiscard]] std::vector<WeightGradientVariant> variants(const ops::Case<Conv3dWeightGradient>& c) const {
    return running(c, cuda::weight_gradient_variants(GetParam().type));
  }

  /// A weight's gradient is f32, whose sums of rounded factors are exact but for tf32.
  template <class Op>
  static double tolerance() {
    const bool rounded = std::is_same_v<Op, Conv3dDataGradient> || GetParam().type == ConvType::tf32;
    return rounded ? GetParam().tolerance : test::op_f32_relative_l2;
  }

  template <class Op>
  void expect_reference(const ops::Case<Op>& c, const BindOptions& options) const {
    BoundCase bound(c, backend_, options);
    SCOPED_TRACE(std::string(Op::name) + " " + c.label + " by " + bound.kernel().implementation());
    bound.run();
    EXPECT_LE(test::relative_l2(bound.output(), test::reference_output(c, bound)), tolerance<Op>());
    EXPECT_EQ(bound.stray_channels(), 0);
  }

  template <class Op>
  void expect_all_candidates(const ops::Case<Op>& c) const {
    std::size_t count = 1;
    for (std::size_t i = 0; i < count; ++i) {
      BindOptions one = options();
      one.compile = [&](const AnyOp& op, const Signature& signature) {
        std::vector<std::unique_ptr<Kernel>> all = cuda::candidates(std::get<Op>(op), signature);
        count = all.size();
        return std::move(all[i]);
      };
      expect_reference(c, one);
    }
    EXPECT_EQ(count > 1, !variants(c).empty()) << c.label;
  }

  CudaBackend backend_{{}};
};

TEST_P(CudaConv3dGradient, PlainKernelsAgreeWithTheReference) {
  for (const ConvCase& c : all_cases()) {
    expect_reference(data_gradient(c), plain<Conv3dDataGradient>(options()));
    expect_reference(weight_gradient(c), plain<Conv3dWeightGradient>(options()));
  }
}

TEST_P(CudaConv3dGradient, EveryProductOfTheDataAgreesWithTheReference) {
  std::size_t products = 0;
  for (const ConvCase& c : all_cases()) {
    const auto gradient = data_gradient(c);
    const std::vector<ConvVariant> all = variants(gradient);
    if (all.empty()) continue;
    for (std::size_t i = products++ % step; i < all.size(); i += step) {
      expect_reference(gradient, data_product(options(), all[i], 1));
      expect_reference(gradient, data_product(slices(options()), all[i], 3));
    }
  }
  EXPECT_GE(products, 20U);
}

TEST_P(CudaConv3dGradient, EveryProductOfTheWeightAgreesWithTheReference) {
  std::size_t products = 0;
  for (const ConvCase& c : all_cases()) {
    const auto gradient = weight_gradient(c);
    const std::vector<WeightGradientVariant> all = variants(gradient);
    if (all.empty()) continue;
    for (std::size_t i = products++ % step; i < all.size(); i += step) {
      expect_reference(gradient, weight_product(options(), all[i], 1));
      expect_reference(gradient, weight_product(slices(options()), all[i], 3));
    }
  }
  EXPECT_GE(products, 20U);
}

TEST_P(CudaConv3dGradient, EveryCandidateAgreesWithTheReference) {
  for (const ConvCase& c : further_cases()) {
    expect_all_candidates(data_gradient(c));
    expect_all_candidates(weight_gradient(c));
  }
}

TEST_P(CudaConv3dGradient, PlansRunTheFirstCandidate) {
  for (const ConvCase& c : further_cases()) {
    expect_reference(data_gradient(c), options());
    expect_reference(weight_gradient(c), options());
  }
}

TEST_P(CudaConv3dGradient, KeepsNan) {
  std::int64_t kept = 0;
  const auto check = [&](const auto& c, BindOptions kernel) {
    kernel.nan_at = test::middle_of(c);
    BoundCase bound(c, backend_, kernel);
    bound.run();
    const std::int64_t found = test::kept_nans(test::reference_output(c, bound), bound.output());
    EXPECT_GE(found, 0) << c.label << " by " << bound.kernel().implementation();
    kept += found;
  };
  for (const ConvCase& c : further_cases()) {
    const auto data = data_gradient(c);
    const auto weight = weight_gradient(c);
    check(data, plain<Conv3dDataGradient>(options()));
    check(weight, plain<Conv3dWeightGradient>(options()));
    for (const ConvVariant& variant : variants(data)) check(data, data_product(options(), variant, 2));
    for (const WeightGradientVariant& variant : variants(weight)) {
      check(weight, weight_product(options(), variant, 2));
    }
  }
  EXPECT_GT(kept, 0);
}

TEST_P(CudaConv3dGradient, GivesTheSameEveryTime) {
  const ConvCase c{"splits", {.padding = {1, 0, 0}}, {2, 3, 7, 9, 72}, {72, 72, 3, 1, 1}};
  const auto check = [&](const auto& gradient, const BindOptions& split) {
    BoundCase first(gradient, backend_, split), second(gradient, backend_, split);
    EXPECT_GT(first.kernel().scratch_bytes(), 0U);
    first.run();
    second.run();
    EXPECT_EQ(first.output(), second.output()) << first.kernel().implementation();
  };
  const auto data = data_gradient(c);
  const auto weight = weight_gradient(c);
  check(data, data_product(options(), variants(data).back(), 3));
  check(weight, weight_product(options(), variants(weight).back(), 5));
}

TEST_P(CudaConv3dGradient, CountsItsWork) {
  const auto check = [&](const auto& gradient, const BindOptions& simple) {
    const std::int64_t least = gradient.op.multiply_adds(gradient.inputs, gradient.op.infer(gradient.inputs));
    EXPECT_EQ(BoundCase(gradient, backend_, simple).kernel().work().multiply_adds, least) << gradient.label;
    const BoundCase chosen(gradient, backend_, options());
    EXPECT_GT(chosen.kernel().work().bytes, 0) << gradient.label;
    return std::pair(chosen.kernel().work().multiply_adds, least);
  };
  for (const ConvCase& c : further_cases()) {
    // Where windows lie partly or wholly in the padding, products of phases have fewer than the definition.
    (void)check(data_gradient(c), plain<Conv3dDataGradient>(options()));
    const auto [issued, least] = check(weight_gradient(c), plain<Conv3dWeightGradient>(options()));
    EXPECT_GE(issued, least) << c.label;
  }
}

TEST_P(CudaConv3dGradient, EveryProductOfBoxesAgreesWithTheReference) {
  if (cuda::conv_device(GetParam().type).warp_group_products_per_clock == 0) return;  // no boxes
  std::size_t data_boxes = 0, weight_boxes = 0;
  for (const ConvCase& c : box_cases()) {
    const auto data = data_gradient(c);
    for (const ConvVariant& variant : variants(data)) {
      if (!variant.tile.boxes || data_boxes++ % step != 0) continue;
      expect_reference(data, data_product(options(), variant, 1));
      expect_reference(data, data_product(slices(options()), variant, 2));
    }
    const auto weight = weight_gradient(c);
    for (const WeightGradientVariant& variant : variants(weight)) {
      if (!variant.tile.boxes || weight_boxes++ % step != 0) continue;
      expect_reference(weight, weight_product(options(), variant, 1));
      expect_reference(weight, weight_product(slices(options()), variant, 3));
    }
  }
  EXPECT_GE(data_boxes, 6U * 6U);
  EXPECT_GE(weight_boxes, 7U * 4U);
}

INSTANTIATE_TEST_SUITE_P(Precisions, CudaConv3dGradient,
                         ::testing::Values(Precision{ConvType::f32, DType::f32, test::op_f32_relative_l2},
                                           Precision{ConvType::tf32, DType::f32, test::op_tf32_relative_l2},
                                           Precision{ConvType::f16, DType::f16, test::op_f16_relative_l2},
                                           Precision{ConvType::bf16, DType::bf16, test::op_bf16_relative_l2}),
                         [](const auto& param) { return std::string(cuda::name_of(param.param.type)); });

}  // namespace
}  // namespace tpn
