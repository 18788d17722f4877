// Every kernel that can run a convolution on a CUDA device, whatever the estimate would choose, against the
// operation's reference.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/fused_conv3d.h"
#include "tests/kernels/conv_precision.h"
#include "tests/support/case_tests.h"

namespace tpn {
namespace {

using cuda::ConvForm;
using cuda::ConvType;
using cuda::ConvVariant;
using ops::Conv3d;
using ops::FusedConv3d;
using test::conv_precisions;
using test::ConvPrecision;
using verify::BindOptions;
using verify::BoundCase;
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

/// Those of the operation lists.
std::vector<ConvCase> listed_cases() {
  std::vector<ConvCase> cases;
  for (const ops::Case<Conv3d>& c : Conv3d::cases())
    cases.emplace_back(c.label, FusedConv3d{.conv = c.op}, c.inputs);
  for (const ConvCase& c : FusedConv3d::cases()) {
    if (!c.full_size) cases.push_back(c);
  }
  return cases;
}

const CudaBackend& cuda_backend() {
  static const CudaBackend backend;
  return backend;
}

/// Options that make compile_product() or compile_plain() compile.
template <class Compile>
BindOptions with(BindOptions options, const Compile& compile) {
  options.compile = [compile](const AnyOp& op, const Signature& signature) {
    return compile(std::get<FusedConv3d>(op), signature);
  };
  return options;
}
BindOptions plain(const BindOptions& options) {
  return with(options, cuda::compile_plain);
}
BindOptions product(const BindOptions& options, const ConvVariant& variant, int splits) {
  return with(options, [variant, splits](const FusedConv3d& op, const Signature& signature) {
    return cuda::compile_product(op, signature, variant, splits);
  });
}
/// The variants that run the case in the precision; none where it cannot be a matrix product.
std::vector<ConvVariant> variants(const ConvCase& c, const ConvPrecision& precision) {
  std::vector<ConvVariant> result;
  const BoundCase bound(c, cuda_backend(),
                        with(precision.options(), [&](const FusedConv3d& op, const Signature& s) {
                          const ConvForm form = cuda::conv_form(op, s);
                          if (cuda::is_product(form)) result = cuda::conv_variants(form.type);
                          std::erase_if(result, [&](const ConvVariant& variant) {
                            return !cuda::runs(form, variant.tile, cuda::conv_device(form.type));
                          });
                          return cuda::compile_plain(op, s);
                        }));
  return result;
}

/// Registers SUITE/cuda/PRECISION.fused_conv3d/CASE: check(case, precision).
template <class Check>
bool on_cuda(const std::string& suite, const std::vector<ConvCase>& cases, const Check& check) {
  for (const ConvPrecision& precision : conv_precisions) {
    for (const ConvCase& c : cases) {
      test::register_test(precision.suite(suite), std::string(FusedConv3d::name) + "/" + c.label,
                          [=] { check(c, precision); });
    }
  }
  return true;
}

test::KernelComparison<FusedConv3d> comparison_of(const ConvCase& c, const ConvPrecision& precision) {
  return {c, cuda_backend(), precision.tolerance};
}

const std::vector<ConvCase>& all_cases() {
  static const std::vector<ConvCase> cases = [] {
    std::vector<ConvCase> all = further_cases();
    for (const ConvCase& c : listed_cases()) all.push_back(c);
    return all;
  }();
  return cases;
}

const bool plain_agrees = on_cuda("PlainKernelAgreesWithTheReference", all_cases(),
                                  [](const ConvCase& c, const ConvPrecision& precision) {
                                    comparison_of(c, precision).expect_agreement(plain(precision.options()));
                                  });

/// Every `step`th variant from `first` on, with and without splits.
void compare_products(const ConvCase& c, const ConvPrecision& precision, std::size_t first,
                      std::size_t step) {
  const std::vector<ConvVariant> all = variants(c, precision);
  if (all.empty()) {
    const ConvVariant any = cuda::conv_variants(precision.type).front();
    EXPECT_THROW(BoundCase(c, cuda_backend(), product(precision.options(), any, 1)), Error);
  }
  auto comparison = comparison_of(c, precision);
  for (std::size_t i = first; i < all.size(); i += step) {
    comparison.expect_agreement(product(precision.options(), all[i], 1));
    comparison.expect_agreement(product(precision.options(), all[i], 3));
  }
}

const bool products_agree =
    on_cuda("EveryProductAgreesWithTheReference", further_cases(),
            [](const ConvCase& c, const ConvPrecision& precision) { compare_products(c, precision, 0, 1); });

const bool listed_products_agree = on_cuda(
    "EveryProductAgreesWithTheReference", listed_cases(),
    [](const ConvCase& c, const ConvPrecision& precision) {
#ifdef CUDA_ON_CPU_RACE
      constexpr std::size_t step = 3;  // the race checker is slow, and epilogues are the same in all variants
#else
      constexpr std::size_t step = 1;
#endif
      compare_products(c, precision, c.label.size() % step, step);  // another third for other cases
    });

const bool candidates_agree =
    on_cuda("EveryCandidateAgreesWithTheReference", further_cases(),
            [](const ConvCase& c, const ConvPrecision& precision) {
              auto comparison = comparison_of(c, precision);
              std::size_t count = 1;
              for (std::size_t i = 0; i < count; ++i) {
                comparison.expect_agreement(
                    with(precision.options(), [&](const FusedConv3d& op, const Signature& signature) {
                      std::vector<std::unique_ptr<Kernel>> all = cuda::candidates(op, signature);
                      count = all.size();
                      return std::move(all[i]);
                    }));
              }
              EXPECT_EQ(count > 1, !variants(c, precision).empty());
            });

const bool keep_nan =
    on_cuda("EveryKernelKeepsNan", further_cases(), [](const ConvCase& c, const ConvPrecision& precision) {
      std::vector<BindOptions> kernels{plain(precision.options())};
      for (const ConvVariant& variant : variants(c, precision)) {
        kernels.push_back(product(precision.options(), variant, 3));
      }
      test::expect_nans_kept(c, cuda_backend(), std::move(kernels));
    });

const bool first_candidate = on_cuda("PlansRunTheFirstCandidate", further_cases(),
                                     [](const ConvCase& c, const ConvPrecision& precision) {
                                       comparison_of(c, precision).expect_agreement(precision.options());
                                     });

const bool take_slices =
    on_cuda("ReadsAndWritesSlices", further_cases(), [](const ConvCase& c, const ConvPrecision& precision) {
      auto comparison = comparison_of(c, precision);
      comparison.expect_agreement(plain(precision.slices()));
      for (const ConvVariant& variant : variants(c, precision)) {
        comparison.expect_agreement(product(precision.slices(), variant, 1));
        comparison.expect_agreement(product(precision.slices(), variant, 2));
      }
    });

std::vector<ConvCase> cases_with_residual() {
  std::vector<ConvCase> cases = further_cases();
  cases.push_back(box_cases().front());
  std::erase_if(cases, [](const ConvCase& c) { return !c.op.residual; });
  return cases;
}

const bool same_in_place = on_cuda(
    "GivesTheSameInPlace", cases_with_residual(), [](const ConvCase& c, const ConvPrecision& precision) {
      const auto check = [&](const BindOptions& options) {
        BoundCase apart(c, cuda_backend(), options), shared(c, cuda_backend(), options);
        const bool may = shared.kernel().in_place_input() >= 0;
        EXPECT_EQ(may, !c.op.one_frame_residual);
        if (!may) return;
        apart.run();
        shared.run_in_place();
        EXPECT_EQ(shared.output(), apart.output()) << apart.kernel().implementation();
      };
      check(plain(precision.options()));
      for (const ConvVariant& variant : variants(c, precision)) {
        check(product(precision.options(), variant, 1));
        check(product(precision.options(), variant, 2));
      }
    });

const bool counts_work =
    on_cuda("CountsItsWork", further_cases(), [](const ConvCase& c, const ConvPrecision& precision) {
      const std::int64_t least = c.op.multiply_adds(c.inputs, c.op.infer(c.inputs));
      const BoundCase simple(c, cuda_backend(), plain(precision.options()));
      EXPECT_EQ(simple.kernel().work().multiply_adds, least);
      const BoundCase chosen(c, cuda_backend(), precision.options());
      EXPECT_GE(chosen.kernel().work().multiply_adds, least);
      EXPECT_GT(chosen.kernel().work().bytes, 0);
    });

const bool boxes_agree =
    on_cuda("EveryProductOfBoxesAgreesWithTheReference", box_cases(),
            [](const ConvCase& c, const ConvPrecision& precision) {
              std::vector<ConvVariant> boxes = variants(c, precision);
              std::erase_if(boxes, [](const ConvVariant& variant) { return !variant.tile.boxes; });
              const bool multiplies_boxes = cuda::conv_device(precision.type).warp_group_products_per_clock >
                                            0;  // of this device and type
              EXPECT_EQ(boxes.size() >= 6, multiplies_boxes);
              auto comparison = comparison_of(c, precision);
              for (const ConvVariant& variant : boxes) {
                comparison.expect_agreement(product(precision.options(), variant, 1));
                comparison.expect_agreement(product(precision.slices(), variant, 2));
              }
            });

class CudaConv3d : public ::testing::TestWithParam<ConvPrecision> {};

TEST_P(CudaConv3d, SplitsAreSummedInTheSameOrderEveryTime) {
  const ConvCase c = make_case("splits", {.conv = {}}, {1, 2, 5, 5, 520}, {24, 520, 1, 1, 1});
  const BindOptions split = product(GetParam().options(), variants(c, GetParam()).front(), 4);
  BoundCase first(c, cuda_backend(), split), second(c, cuda_backend(), split);
  EXPECT_GT(first.kernel().scratch_bytes(), 0U);
  first.run();
  second.run();
  EXPECT_EQ(first.output(), second.output());
}

TEST_P(CudaConv3d, RefusesBoxesOfWhatHasNone) {
  const ConvCase c = make_case("96_channels", {.conv = {}}, {1, 1, 3, 3, 96}, {8, 96, 1, 1, 1});
  for (const ConvVariant& variant : cuda::conv_variants(GetParam().type)) {
    if (!variant.tile.boxes) continue;
    EXPECT_THROW(BoundCase(c, cuda_backend(), product(GetParam().options(), variant, 1)), Error);
  }
}

TEST_P(CudaConv3d, MultipliesWhatFillsVectors) {
  const auto is_product = [](const ConvCase& c) { return !variants(c, GetParam()).empty(); };
  EXPECT_GE(std::ranges::count_if(all_cases(), is_product), 70);
}

INSTANTIATE_TEST_SUITE_P(Precisions, CudaConv3d, ::testing::ValuesIn(conv_precisions),
                         [](const auto& param) { return std::string(cuda::name_of(param.param.type)); });

}  // namespace
}  // namespace tpn
