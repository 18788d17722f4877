// Every kernel that can run a gradient of a convolution on a CUDA device, whatever the estimate would choose,
// against the operation's reference.
#include <algorithm>
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
#include "tests/kernels/conv_precision.h"
#include "tests/support/case_tests.h"

namespace tpn {
namespace {

using cuda::ConvType;
using cuda::ConvVariant;
using cuda::WeightGradientVariant;
using ops::Conv3d;
using ops::Conv3dDataGradient;
using ops::Conv3dWeightGradient;
using test::conv_precisions;
using test::ConvPrecision;
using verify::BindOptions;
using verify::BoundCase;

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
constexpr std::size_t step = 4;  // of variants, others for other cases: the race checker is slow
#else
constexpr std::size_t step = 1;
#endif

const CudaBackend& cuda_backend() {
  static const CudaBackend backend;
  return backend;
}

/// Registers SUITE/cuda/PRECISION.OPERATION/CASE: check(case, precision), for both gradients of each case.
template <class Check>
bool on_cuda(const std::string& suite, const std::vector<ConvCase>& cases, const Check& check) {
  for (const ConvPrecision& precision : conv_precisions) {
    const auto add = [&]<class Op>(const ops::Case<Op>& gradient) {
      test::register_test(precision.suite(suite), std::string(Op::name) + "/" + gradient.label,
                          [=] { check(gradient, precision); });
    };
    for (const ConvCase& c : cases) {
      add(data_gradient(c));
      add(weight_gradient(c));
    }
  }
  return true;
}

template <class Op>
BindOptions plain(const ops::Case<Op>& /*c*/, BindOptions options) {
  options.compile = [](const AnyOp& op, const Signature& signature) {
    return cuda::compile_plain(std::get<Op>(op), signature);
  };
  return options;
}

template <class Op, class Variant>
BindOptions product(const ops::Case<Op>& /*c*/, BindOptions options, const Variant& variant, int splits) {
  options.compile = [variant, splits](const AnyOp& op, const Signature& signature) {
    return cuda::compile_product(std::get<Op>(op), signature, variant, splits);
  };
  return options;
}

/// Those of the variants by which a gradient runs as products; none where it cannot.
template <class Op, class Variant>
std::vector<Variant> running(const ops::Case<Op>& c, const ConvPrecision& precision,
                             std::vector<Variant> variants) {
  BindOptions asking = precision.options();
  asking.compile = [&](const AnyOp& op, const Signature& signature) {
    std::erase_if(variants, [&](const Variant& variant) {
      return cuda::compile_product(std::get<Op>(op), signature, variant, 1) == nullptr;
    });
    return cuda::compile_plain(std::get<Op>(op), signature);
  };
  const BoundCase bound(c, cuda_backend(), asking);
  return variants;
}
std::vector<ConvVariant> variants(const ops::Case<Conv3dDataGradient>& c, const ConvPrecision& precision) {
  return running(c, precision, cuda::conv_variants(precision.type));
}
std::vector<WeightGradientVariant> variants(const ops::Case<Conv3dWeightGradient>& c,
                                            const ConvPrecision& precision) {
  return running(c, precision, cuda::weight_gradient_variants(precision.type));
}

template <class Op>
test::KernelComparison<Op> comparison_of(const ops::Case<Op>& c, const ConvPrecision& precision) {
  // A weight's gradient is f32, whose sums of rounded factors are exact but for tf32.
  const bool rounded = std::same_as<Op, Conv3dDataGradient> || precision.type == ConvType::tf32;
  return {c, cuda_backend(), rounded ? precision.tolerance : verify::op_f32_relative_l2};
}

const bool plain_agrees = on_cuda(
    "PlainKernelAgreesWithTheReference", all_cases(), [](const auto& c, const ConvPrecision& precision) {
      comparison_of(c, precision).expect_agreement(plain(c, precision.options()));
    });

const bool products_agree = on_cuda(
    "EveryProductAgreesWithTheReference", all_cases(), [](const auto& c, const ConvPrecision& precision) {
      const auto all = variants(c, precision);
      auto comparison = comparison_of(c, precision);
      for (std::size_t i = all.size() < step ? 0 : c.label.size() % step; i < all.size(); i += step) {
        comparison.expect_agreement(product(c, precision.options(), all[i], 1));
        comparison.expect_agreement(product(c, precision.slices(), all[i], 3));
      }
    });

const bool candidates_agree = on_cuda("EveryCandidateAgreesWithTheReference", further_cases(),
                                      []<class Op>(const ops::Case<Op>& c, const ConvPrecision& precision) {
                                        auto comparison = comparison_of(c, precision);
                                        std::size_t count = 1;
                                        for (std::size_t i = 0; i < count; ++i) {
                                          BindOptions one = precision.options();
                                          one.compile = [&](const AnyOp& op, const Signature& signature) {
                                            std::vector<std::unique_ptr<Kernel>> all =
                                                cuda::candidates(std::get<Op>(op), signature);
                                            count = all.size();
                                            return std::move(all[i]);
                                          };
                                          comparison.expect_agreement(one);
                                        }
                                        EXPECT_EQ(count > 1, !variants(c, precision).empty());
                                      });

const bool first_candidate =
    on_cuda("PlansRunTheFirstCandidate", further_cases(), [](const auto& c, const ConvPrecision& precision) {
      comparison_of(c, precision).expect_agreement(precision.options());
    });

const bool keep_nan =
    on_cuda("EveryKernelKeepsNan", further_cases(), [](const auto& c, const ConvPrecision& precision) {
      std::vector<BindOptions> kernels{plain(c, precision.options())};
      for (const auto& variant : variants(c, precision)) {
        kernels.push_back(product(c, precision.options(), variant, 2));
      }
      test::expect_nans_kept(c, cuda_backend(), std::move(kernels));
    });

const bool counts_work = on_cuda(
    "CountsItsWork", further_cases(), []<class Op>(const ops::Case<Op>& c, const ConvPrecision& precision) {
      const std::int64_t least = c.op.multiply_adds(c.inputs, c.op.infer(c.inputs));
      const BoundCase simple(c, cuda_backend(), plain(c, precision.options()));
      EXPECT_EQ(simple.kernel().work().multiply_adds, least);
      const BoundCase chosen(c, cuda_backend(), precision.options());
      EXPECT_GT(chosen.kernel().work().bytes, 0);
      // Where windows lie partly or wholly in the padding, products of phases have fewer than the definition.
      if constexpr (std::same_as<Op, Conv3dWeightGradient>) {
        EXPECT_GE(chosen.kernel().work().multiply_adds, least);
      }
    });

/// Of the variants those that fetch boxes; as many as there have to be on this device.
template <class Variant>
std::vector<Variant> boxes_of(std::vector<Variant> variants, const ConvPrecision& precision,
                              std::size_t fewest) {
  std::erase_if(variants, [](const Variant& variant) { return !variant.tile.boxes; });
  const bool multiplies_boxes = cuda::conv_device(precision.type).warp_group_products_per_clock > 0;
  if (!multiplies_boxes) fewest = 0;
  EXPECT_GE(variants.size(), fewest);
  EXPECT_TRUE(multiplies_boxes || variants.empty());
  return variants;
}

const bool boxes_agree = on_cuda(
    "EveryProductOfBoxesAgreesWithTheReference", box_cases(),
    []<class Op>(const ops::Case<Op>& c, const ConvPrecision& precision) {
      constexpr bool of_data = std::same_as<Op, Conv3dDataGradient>;
      constexpr std::size_t multiple = 64;  // of channels: of dy for both, of x for weights' gradients
      const std::int64_t dy_channels = c.inputs[of_data ? 0 : 1].shape[4], x_channels = c.inputs[0].shape[4];
      const bool has_boxes = dy_channels % multiple == 0 && (of_data || x_channels % multiple == 0);
      const auto boxes = boxes_of(variants(c, precision), precision, has_boxes ? 4 : 0);
      auto comparison = comparison_of(c, precision);
      for (std::size_t i = c.label.size() % step; i < boxes.size(); i += step) {
        comparison.expect_agreement(product(c, precision.options(), boxes[i], 1));
        comparison.expect_agreement(product(c, precision.slices(), boxes[i], of_data ? 2 : 3));
      }
    });

class CudaConv3dGradient : public ::testing::TestWithParam<ConvPrecision> {};

TEST_P(CudaConv3dGradient, GivesTheSameEveryTime) {
  const ConvCase c{"splits", {.padding = {1, 0, 0}}, {2, 3, 7, 9, 72}, {72, 72, 3, 1, 1}};
  const auto check = [&](const auto& gradient, int splits) {
    const BindOptions split =
        product(gradient, GetParam().options(), variants(gradient, GetParam()).back(), splits);
    BoundCase first(gradient, cuda_backend(), split), second(gradient, cuda_backend(), split);
    EXPECT_GT(first.kernel().scratch_bytes(), 0U);
    first.run();
    second.run();
    EXPECT_EQ(first.output(), second.output()) << first.kernel().implementation();
  };
  check(data_gradient(c), 3);
  check(weight_gradient(c), 5);
}

TEST_P(CudaConv3dGradient, MultipliesWhatFillsVectors) {
  std::int64_t products = 0;
  for (const ConvCase& c : all_cases()) {
    products += variants(data_gradient(c), GetParam()).empty() ? 0 : 1;
    products += variants(weight_gradient(c), GetParam()).empty() ? 0 : 1;
  }
  EXPECT_GE(products, 40);
}

INSTANTIATE_TEST_SUITE_P(Precisions, CudaConv3dGradient, ::testing::ValuesIn(conv_precisions),
                         [](const auto& param) { return std::string(cuda::name_of(param.param.type)); });

}  // namespace
}  // namespace tpn
