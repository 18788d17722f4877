// Every kernel that can run a convolution on a CUDA device, whatever the estimate would choose, against the
// operation's reference.
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/fused_conv3d.h"
#include "tests/support/run_case.h"
#include "tests/support/tolerance.h"

namespace tpn {
namespace {

using cuda::ConvForm;
using cuda::ConvType;
using cuda::ConvVariant;
using ops::Conv3d;
using ops::FusedConv3d;
using test::BindOptions;
using test::BoundCase;
using ConvCase = ops::Case<FusedConv3d>;

ConvCase make_case(const std::string& label, const FusedConv3d& op, const Shape& x, const Shape& w) {
  ConvCase c(label, op, {activation(x), weight(w)}, {ops::Range::symmetric, ops::Range::symmetric});
  if (op.norm) {
    c.inputs.insert(c.inputs.end(), 4, per_channel(w[0]));
    c.ranges.insert(c.ranges.end(), {ops::Range::positive, ops::Range::symmetric, ops::Range::symmetric,
                                     ops::Range::positive});
  }
  if (op.residual) {
    c.inputs.push_back(activation(op.conv.output(x, w)));
    if (op.one_frame_residual) c.inputs.back().shape[1] = 1;
  }
  return c;
}

/// Beyond the operation's own: tails in every direction, many steps, groups, shifts, strides.
std::vector<ConvCase> further_cases() {
  const Conv3d spatial{.padding = {0, 1, 1}}, temporal{.padding = {1, 0, 0}};
  return {
      make_case("tails", {.conv = spatial, .norm = true, .residual = true, .relu = true}, {2, 3, 9, 11, 40},
                {72, 40, 1, 3, 3}),
      make_case("wide", {.conv = {}, .norm = true, .relu = true}, {1, 2, 5, 7, 24}, {300, 24, 1, 1, 1}),
      make_case("two_row_tiles", {.conv = temporal, .residual = true}, {2, 3, 8, 9, 16}, {8, 16, 3, 1, 1}),
      make_case("many_steps", {.conv = temporal, .norm = true}, {1, 3, 3, 3, 264}, {24, 264, 3, 1, 1}),
      make_case("time_and_space", {.conv = {.stride = {2, 1, 3}, .padding = {1, 2, 0}}, .relu = true},
                {2, 5, 6, 7, 16}, {16, 16, 3, 5, 2}),
      make_case("channels_without_step", {.conv = temporal, .norm = true}, {1, 3, 5, 5, 13},
                {21, 13, 3, 1, 1}),
      make_case("groups_of_8", {.conv = {.padding = {1, 0, 0}, .groups = 8}, .norm = true, .relu = true},
                {1, 4, 5, 5, 64}, {64, 8, 3, 1, 1}),
      make_case("groups_of_16", {.conv = {.groups = 4}, .norm = true, .residual = true}, {2, 2, 5, 5, 64},
                {32, 16, 1, 1, 1}),
      make_case("groups_of_32", {.conv = {.padding = {0, 1, 1}, .groups = 2}}, {1, 2, 7, 5, 64},
                {144, 32, 1, 3, 3}),
      make_case("groups_of_12", {.conv = {.groups = 4}, .norm = true}, {2, 2, 5, 5, 48}, {32, 12, 1, 1, 1}),
      make_case("groups_to_3", {.conv = {.groups = 2}, .norm = true}, {2, 2, 5, 5, 32}, {6, 16, 1, 1, 1}),
      make_case("one_frame_residual",
                {.conv = spatial, .norm = true, .residual = true, .one_frame_residual = true, .relu = true},
                {3, 4, 5, 6, 24}, {40, 24, 1, 3, 3}),
      make_case("shift_all", {.conv = {}, .norm = true, .shift_fold = 8}, {2, 5, 4, 4, 16},
                {24, 16, 1, 1, 1}),
      make_case("shift_of_three_in_a_chunk", {.conv = {}, .norm = true, .shift_fold = 1}, {1, 4, 4, 4, 11},
                {24, 11, 1, 1, 1}),
      make_case("shift_spatial", {.conv = {.stride = {1, 2, 1}, .padding = {0, 1, 1}}, .shift_fold = 20},
                {2, 3, 5, 4, 80}, {24, 80, 1, 3, 3}),
      make_case("shift_before_time", {.conv = temporal, .shift_fold = 4}, {1, 4, 3, 4, 16}, {8, 16, 3, 1, 1}),
      make_case("eleven_taps", {.conv = {.padding = {0, 0, 5}}}, {1, 1, 3, 14, 8}, {8, 8, 1, 1, 11}),
  };
}

/// For kernels that fetch boxes, whose steps are 64 channels: boxes that do not fill a tile, reach over the
/// edges of y, of x and over all views, with strides and shifts; several tiles in rows and columns.
std::vector<ConvCase> box_cases() {
  const Conv3d spatial{.padding = {0, 1, 1}}, temporal{.padding = {1, 0, 0}};
  return {
      make_case("box_7x7", {.conv = spatial, .norm = true, .residual = true, .relu = true}, {3, 2, 7, 7, 64},
                {64, 64, 1, 3, 3}),
      make_case("box_14x14", {.conv = {}, .norm = true}, {1, 2, 14, 14, 64}, {21, 64, 1, 1, 1}),
      make_case("box_strides", {.conv = {.stride = {2, 2, 3}, .padding = {1, 1, 0}}, .relu = true},
                {2, 5, 9, 11, 64}, {16, 64, 3, 3, 3}),
      make_case("box_one_frame", {.conv = temporal, .norm = true}, {2, 1, 5, 6, 128}, {72, 128, 3, 1, 1}),
      make_case("box_one_frame_residual",
                {.conv = temporal, .norm = true, .residual = true, .one_frame_residual = true, .relu = true},
                {2, 5, 3, 5, 64}, {40, 64, 3, 1, 1}),
      make_case("box_tiles", {.conv = {}, .residual = true}, {1, 3, 9, 17, 64}, {264, 64, 1, 1, 1}),
      make_case("box_views", {.conv = {}, .norm = true}, {37, 1, 3, 3, 64}, {8, 64, 1, 1, 1}),
      make_case("box_many_steps", {.conv = {}, .norm = true, .relu = true}, {1, 2, 4, 5, 640},
                {24, 640, 1, 1, 1}),
      make_case("box_shift", {.conv = {}, .norm = true, .shift_fold = 64}, {2, 4, 3, 4, 192},
                {24, 192, 1, 1, 1}),
      make_case("box_shift_all", {.conv = spatial, .shift_fold = 64}, {1, 3, 4, 3, 128}, {16, 128, 1, 3, 3}),
  };
}

std::vector<ConvCase> small_cases() {
  std::vector<ConvCase> cases = further_cases();
  for (const ops::Case<Conv3d>& c : Conv3d::cases())
    cases.emplace_back(c.label, FusedConv3d{.conv = c.op}, c.inputs);
  for (const ConvCase& c : FusedConv3d::cases()) {
    if (!c.full_size) cases.push_back(c);
  }
  return cases;
}

struct Precision {
  ConvType type;
  DType dtype;
  double tolerance;
};

class CudaConv3d : public ::testing::TestWithParam<Precision> {
 protected:
  [[nodiscard]] BindOptions options() const {
    return {.precision = GetParam().dtype, .tf32 = GetParam().type == ConvType::tf32};
  }

  /// Options that make compile_product() or compile_plain() compile.
  template <class Compile>
  static BindOptions with(BindOptions options, const Compile& compile) {
    options.compile = [compile](const AnyOp& op, const Signature& signature) {
      return compile(std::get<FusedConv3d>(op), signature);
    };
    return options;
  }
  static BindOptions plain(const BindOptions& options) { return with(options, cuda::compile_plain); }
  static BindOptions product(const BindOptions& options, const ConvVariant& variant, int splits) {
    return with(options, [variant, splits](const FusedConv3d& op, const Signature& signature) {
      return cuda::compile_product(op, signature, variant, splits);
    });
  }

  /// The variants that run the case in the precision; none where it cannot be a matrix product.
  [[nodiscard]] std::vector<ConvVariant> variants(const ConvCase& c) const {
    std::vector<ConvVariant> result;
    const BoundCase bound(c, backend_, with(options(), [&](const FusedConv3d& op, const Signature& s) {
                            const ConvForm form = cuda::conv_form(op, s);
                            if (cuda::is_product(form)) result = cuda::conv_variants(form.type);
                            std::erase_if(result, [&](const ConvVariant& variant) {
                              return !cuda::runs(form, variant.tile, cuda::conv_device(form.type));
                            });
                            return cuda::compile_plain(op, s);
                          }));
    return result;
  }

  /// Whether the device multiplies the type by warp groups.
  [[nodiscard]] static bool has_warp_groups() {
    return cuda::conv_device(GetParam().type).warp_group_products_per_clock > 0;
  }

  void expect_reference(const ConvCase& c, const BindOptions& options) const {
    BoundCase bound(c, backend_, options);
    bound.run();
    EXPECT_LE(test::relative_l2(bound.output(), test::reference_output(c, bound)), GetParam().tolerance)
        << c.label << " by " << bound.kernel().implementation();
    EXPECT_EQ(bound.stray_channels(), 0) << c.label << " by " << bound.kernel().implementation();
  }

  CudaBackend backend_{{}};
};

TEST_P(CudaConv3d, PlainKernelAgreesWithTheReference) {
  for (const ConvCase& c : small_cases()) expect_reference(c, plain(options()));
}

TEST_P(CudaConv3d, EveryProductAgreesWithTheReference) {
#ifdef CUDA_ON_CPU_RACE
  constexpr std::size_t step = 3;  // the race checker is slow, and epilogues are the same in all variants
#else
  constexpr std::size_t step = 1;
#endif
  const std::size_t further = further_cases().size();
  std::size_t products = 0, index = 0;
  for (const ConvCase& c : small_cases()) {
    const bool rotates = index++ >= further;
    const std::vector<ConvVariant> all = variants(c);
    if (all.empty()) continue;
    ++products;
    for (std::size_t i = rotates ? products % step : 0; i < all.size(); i += rotates ? step : 1) {
      expect_reference(c, product(options(), all[i], 1));
      expect_reference(c, product(options(), all[i], 3));
    }
  }
  EXPECT_GE(products, 70U);
}

TEST_P(CudaConv3d, EveryCandidateAgreesWithTheReference) {
  for (const ConvCase& c : further_cases()) {
    std::size_t count = 1;
    for (std::size_t i = 0; i < count; ++i) {
      expect_reference(c, with(options(), [&](const FusedConv3d& op, const Signature& signature) {
                         std::vector<std::unique_ptr<Kernel>> all = cuda::candidates(op, signature);
                         count = all.size();
                         return std::move(all[i]);
                       }));
    }
    EXPECT_EQ(count > 1, !variants(c).empty()) << c.label;
  }
}

TEST_P(CudaConv3d, EveryKernelKeepsNan) {
  std::int64_t kept = 0;
  for (const ConvCase& c : further_cases()) {
    std::vector<BindOptions> kernels{plain(options())};
    for (const ConvVariant& variant : variants(c)) kernels.push_back(product(options(), variant, 3));
    for (BindOptions& kernel : kernels) {
      kernel.nan_at = test::middle_of(c);
      BoundCase bound(c, backend_, kernel);
      bound.run();
      const std::int64_t found = test::kept_nans(test::reference_output(c, bound), bound.output());
      EXPECT_GE(found, 0) << c.label << " by " << bound.kernel().implementation();
      kept += found;
    }
  }
  EXPECT_GT(kept, 0);
}

TEST_P(CudaConv3d, PlansRunTheFirstCandidate) {
  for (const ConvCase& c : further_cases()) expect_reference(c, options());
}

TEST_P(CudaConv3d, ReadsAndWritesSlices) {
  BindOptions slices = options();
  slices.extra_input_stride = 16;
  slices.extra_output_stride = 8;
  for (const ConvCase& c : further_cases()) {
    expect_reference(c, plain(slices));
    for (const ConvVariant& variant : variants(c)) {
      expect_reference(c, product(slices, variant, 1));
      expect_reference(c, product(slices, variant, 2));
    }
  }
}

TEST_P(CudaConv3d, GivesTheSameInPlace) {
  int in_place = 0;
  std::vector<ConvCase> cases = further_cases();
  cases.push_back(box_cases().front());
  for (const ConvCase& c : cases) {
    const auto check = [&](const BindOptions& options) {
      BoundCase apart(c, backend_, options), shared(c, backend_, options);
      if (shared.kernel().in_place_input() < 0) return;
      ++in_place;
      apart.run();
      shared.run_in_place();
      EXPECT_EQ(shared.output(), apart.output()) << c.label << " by " << apart.kernel().implementation();
    };
    check(plain(options()));
    for (const ConvVariant& variant : variants(c)) {
      check(product(options(), variant, 1));
      check(product(options(), variant, 2));
    }
  }
  EXPECT_GE(in_place, 20);
}

TEST_P(CudaConv3d, SplitsAreSummedInTheSameOrderEveryTime) {
  const ConvCase c = make_case("splits", {.conv = {}}, {1, 2, 5, 5, 520}, {24, 520, 1, 1, 1});
  const BindOptions split = product(options(), variants(c).front(), 4);
  BoundCase first(c, backend_, split), second(c, backend_, split);
  EXPECT_GT(first.kernel().scratch_bytes(), 0U);
  first.run();
  second.run();
  EXPECT_EQ(first.output(), second.output());
}

TEST_P(CudaConv3d, RefusesProductsOfWhatDoesNotFillVectors) {
  for (const ConvCase& c : further_cases()) {
    if (!variants(c).empty()) continue;
    const ConvVariant any = cuda::conv_variants(GetParam().type).front();
    EXPECT_THROW(BoundCase(c, backend_, product(options(), any, 1)), Error) << c.label;
  }
}

TEST_P(CudaConv3d, RefusesBoxesOfWhatHasNone) {
  const ConvCase c = make_case("96_channels", {.conv = {}}, {1, 1, 3, 3, 96}, {8, 96, 1, 1, 1});
  for (const ConvVariant& variant : cuda::conv_variants(GetParam().type)) {
    if (!variant.tile.boxes) continue;
    EXPECT_THROW(BoundCase(c, backend_, product(options(), variant, 1)), Error);
  }
}

TEST_P(CudaConv3d, EveryProductOfBoxesAgreesWithTheReference) {
  if (!has_warp_groups()) return;  // the device or the type has none
  BindOptions slices = options();
  slices.extra_input_stride = 16;
  slices.extra_output_stride = 8;
  for (const ConvCase& c : box_cases()) {
    int boxes = 0;
    for (const ConvVariant& variant : variants(c)) {
      if (!variant.tile.boxes) continue;
      ++boxes;
      expect_reference(c, product(options(), variant, 1));
      expect_reference(c, product(slices, variant, 2));
    }
    EXPECT_GE(boxes, 6) << c.label;
  }
}

TEST_P(CudaConv3d, CountsItsWork) {
  for (const ConvCase& c : further_cases()) {
    const std::int64_t least = c.op.multiply_adds(c.inputs, c.op.infer(c.inputs));
    const BoundCase simple(c, backend_, plain(options()));
    EXPECT_EQ(simple.kernel().work().multiply_adds, least) << c.label;
    const BoundCase chosen(c, backend_, options());
    EXPECT_GE(chosen.kernel().work().multiply_adds, least) << c.label;
    EXPECT_GT(chosen.kernel().work().bytes, 0) << c.label;
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, CudaConv3d,
                         ::testing::Values(Precision{ConvType::f32, DType::f32, test::op_f32_relative_l2},
                                           Precision{ConvType::tf32, DType::f32, test::op_tf32_relative_l2},
                                           Precision{ConvType::f16, DType::f16, test::op_f16_relative_l2},
                                           Precision{ConvType::bf16, DType::bf16, test::op_bf16_relative_l2}),
                         [](const auto& param) { return std::string(cuda::name_of(param.param.type)); });

}  // namespace
}  // namespace tpn
