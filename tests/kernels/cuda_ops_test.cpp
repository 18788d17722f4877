// Every kernel of every CUDA operation but the convolutions against the operation's reference.
#include <concepts>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/support/expect_agreement.h"
#include "tests/support/run_case.h"
#include "tests/support/tolerance.h"

namespace tpn {
namespace {

using test::BindOptions;
using test::BoundCase;
using test::expect_agreement;

template <class Op>
concept HasKernel = requires(const Op& op, const Signature& signature) {
  cuda::compile(op, signature);  // declared in compile.h
};

/// Operations that GPUs run, but for convolutions, which have tests of their own.
template <class Op>
constexpr bool tested_here =
    HasKernel<Op> && !std::same_as<Op, ops::Conv3d> && !std::same_as<Op, ops::FusedConv3d> &&
    !std::same_as<Op, ops::Conv3dDataGradient> && !std::same_as<Op, ops::Conv3dWeightGradient>;

constexpr int fewest_operations = 33;

/// Operations that only choose among their inputs: nothing is rounded.
template <class Op>
constexpr bool moves =
    std::same_as<Op, ops::MaxPool3d> || std::same_as<Op, ops::Relu> || std::same_as<Op, ops::TemporalShift> ||
    std::same_as<Op, ops::Upsample> || std::same_as<Op, ops::Concat> || std::same_as<Op, ops::ReluGradient> ||
    std::same_as<Op, ops::TemporalShiftGradient> || std::same_as<Op, ops::ChannelSlice>;

/// All kernels that there are for an operation.
template <class Op>
std::vector<std::unique_ptr<Kernel>> kernels_of(const AnyOp& op, const Signature& signature) {
  const Op& typed = std::get<Op>(op);
  if constexpr (requires { cuda::candidates(typed, signature); }) {
    return cuda::candidates(typed, signature);
  } else {
    std::vector<std::unique_ptr<Kernel>> kernels;
    kernels.push_back(cuda::compile(typed, signature));
    return kernels;
  }
}

/// Calls check(case, options) for every kernel of a case that is small enough for the reference.
template <class Op, class Check>
void for_each_kernel(const ops::Case<Op>& c, const BindOptions& base, const Check& check) {
  std::size_t count = 1;
  for (std::size_t i = 0; i < count; ++i) {
    BindOptions options = base;
    options.compile = [&count, i](const AnyOp& op, const Signature& signature) {
      std::vector<std::unique_ptr<Kernel>> kernels = kernels_of<Op>(op, signature);
      count = kernels.size();
      return std::move(kernels[i]);
    };
    check(c, options);
  }
}

/// Calls check(case) for every case that the backend runs and that is small enough for the reference.
template <class Check>
void for_each_case(const Backend& backend, const Check& check) {
  int operations = 0;
  for_each_op([&]<class Op>(std::type_identity<Op>) {
    if constexpr (tested_here<Op>) {
      ++operations;
      for (const ops::Case<Op>& c : Op::cases()) {
        if (c.full_size || !backend.supports(AnyOp(c.op))) continue;
        SCOPED_TRACE(std::string(Op::name) + " " + c.label);
        check(c);
      }
    }
  });
  EXPECT_GE(operations, fewest_operations);
}

class CudaOps : public ::testing::TestWithParam<DType> {
 protected:
  [[nodiscard]] double tolerance() const {
    switch (GetParam()) {
      case DType::f16:
        return test::op_f16_relative_l2;
      case DType::bf16:
        return test::op_bf16_relative_l2;
      default:
        return test::op_f32_relative_l2;
    }
  }

  /// Runs every kernel of every case with these strides.
  void compare(const BindOptions& base) const {
    for_each_case(backend_, [&]<class Op>(const ops::Case<Op>& c) {
      for_each_kernel(c, base, [&](const auto& same, const BindOptions& options) {
        BoundCase bound(same, backend_, options);
        SCOPED_TRACE(bound.kernel().implementation());
        bound.run();
        // The inputs are rounded to bf16, so that f32 and bf16 hold them; the smallest f16 does not.
        const bool exact = moves<Op> && GetParam() != DType::f16;
        expect_agreement(same, bound, exact ? 0.0 : tolerance());
        EXPECT_EQ(bound.stray_channels(), 0);
        EXPECT_GT(bound.kernel().work().bytes, 0);
      });
    });
  }

  CudaBackend backend_;
};

TEST_P(CudaOps, AgreeWithTheReference) {
  compare({.precision = GetParam()});
}

TEST_P(CudaOps, ReadAndWriteSlicesOfWiderTensors) {
  compare({.precision = GetParam(), .extra_output_stride = 16, .extra_input_stride = 8});
}

TEST_P(CudaOps, KeepNan) {
  for_each_case(backend_, [&]<class Op>(const ops::Case<Op>& c) {
    const BindOptions base{.precision = GetParam(), .nan_at = test::middle_of(c)};
    for_each_kernel(c, base, [&](const auto& same, const BindOptions& options) {
      BoundCase bound(same, backend_, options);
      SCOPED_TRACE(bound.kernel().implementation());
      bound.run();
      EXPECT_GE(test::kept_nans(test::reference_output(same, bound), bound.output()), 0);
    });
  });
}

TEST_P(CudaOps, GiveTheSameInPlace) {
  std::vector<std::string> in_place;
  for_each_case(backend_, [&]<class Op>(const ops::Case<Op>& c) {
    for_each_kernel(c, {.precision = GetParam()}, [&](const auto& same, const BindOptions& options) {
      BoundCase apart(same, backend_, options), shared(same, backend_, options);
      if (shared.kernel().in_place_input() < 0) return;
      if (in_place.empty() || in_place.back() != Op::name) in_place.emplace_back(Op::name);
      apart.run();
      shared.run_in_place();
      EXPECT_EQ(shared.output(), apart.output());
    });
  });
  EXPECT_EQ(in_place, (std::vector<std::string>{"batch_norm", "relu", "add", "softmax", "batch_norm_gradient",
                                                "frozen_batch_norm_gradient", "relu_gradient", "dropout"}));
}

TEST_P(CudaOps, UpdateStateInItsPlace) {
  int updating = 0;
  for_each_case(backend_, [&]<class Op>(const ops::Case<Op>& c) {
    const std::vector<ops::Alias> aliases = tpn::aliases(c.op, c.inputs.size());
    if (aliases.empty()) return;
    ++updating;
    BoundCase bound(c, backend_, GetParam());
    bound.run_updating(aliases);
    expect_agreement(c, bound, tolerance());
  });
  EXPECT_GE(updating, 3);
}

/// Blocks go on in another order each time: sums must not depend on it.
TEST_P(CudaOps, GiveTheSameEveryTime) {
  for_each_case(backend_, [&](const auto& c) {
    BoundCase first(c, backend_, GetParam()), second(c, backend_, GetParam());
    first.run();
    second.run();
    for (std::size_t i = 0; i < first.output_count(); ++i) EXPECT_EQ(first.output(i), second.output(i));
  });
}

/// A slice's pixels are further apart than those of a dense input: it cannot take the input's memory.
TEST_P(CudaOps, DoNotWriteSlicesInPlace) {
  for_each_case(backend_, [&]<class Op>(const ops::Case<Op>& c) {
    if (c.inputs[0].kind != Kind::activation) return;
    const BoundCase bound(c, backend_, BindOptions{.precision = GetParam(), .extra_output_stride = 8});
    EXPECT_EQ(bound.kernel().in_place_input(), -1);
  });
}

INSTANTIATE_TEST_SUITE_P(Precisions, CudaOps, ::testing::Values(DType::f32, DType::f16, DType::bf16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

/// The kernels that a case has, in order.
template <class Op>
std::vector<std::string> implementations(const ops::Case<Op>& c, DType precision) {
  const CudaBackend backend;
  std::vector<std::string> names;
  for_each_kernel(c, {.precision = precision}, [&](const auto& same, const BindOptions& options) {
    names.push_back(BoundCase(same, backend, options).kernel().implementation());
  });
  return names;
}

template <class Op>
ops::Case<Op> case_named(const std::string& label) {
  for (const ops::Case<Op>& c : Op::cases()) {
    if (c.label == label) return c;
  }
  throw Error("There is no case " + label + ".");
}

using Names = std::vector<std::string>;

TEST(CudaCandidates, AreWhatTheShapesAllow) {
  const auto modulation = [](const std::string& label, DType precision) {
    return implementations(case_named<ops::TemporalModulation>(label), precision);
  };
  EXPECT_EQ(modulation("one_group_wide", DType::bf16), (Names{"mma_64x32", "fma_32x32", "plain"}));
  EXPECT_EQ(modulation("one_frame", DType::f16), (Names{"mma_64x16", "fma_32x32", "plain"}));
  EXPECT_EQ(modulation("one_group_wide", DType::f32), (Names{"fma_32x32", "plain"}));
  EXPECT_EQ(modulation("odd_groups", DType::bf16), (Names{"fma_32x32", "plain"}));
  EXPECT_EQ(implementations(case_named<ops::LevelFusion>("no_pool"), DType::bf16),
            (Names{"mma_64x16", "fma_32x32", "plain"}));
  EXPECT_EQ(implementations(case_named<ops::MaxPool3d>("stem"), DType::bf16), (Names{"stem_2x2", "plain"}));
  EXPECT_EQ(implementations(case_named<ops::MaxPool3d>("all_frames"), DType::bf16), (Names{"plain"}));
}

/// Inputs wider than a block's shared memory leave only the plain kernel.
TEST(CudaCandidates, LeaveOutWhatDoesNotFitSharedMemory) {
  const ops::TemporalModulation op{.conv = {.padding = {1, 0, 0}}, .window = 2};
  const ops::Case<ops::TemporalModulation> wide("wide", op,
                                                {activation({1, 2, 1, 2, 4096}), weight({8, 4096, 3, 1, 1})});
  EXPECT_EQ(implementations(wide, DType::f32), (Names{"plain"}));
}

/// Operands that no plan makes.
class CudaOperands : public ::testing::Test {
 protected:
  std::unique_ptr<Kernel> relu(const Operand& x, const Operand& y) {
    return cuda::compile(ops::Relu{}, {.inputs = {&x, 1}, .outputs = {&y, 1}});
  }

  CudaBackend backend_;
};

TEST_F(CudaOperands, AreRefusedWherePixelsAreNotOnVectors) {
  const Shape shape{1, 1, 2, 2, 12};
  const auto operand = [&shape](std::int64_t stride) {
    return Operand{.shape = shape, .dtype = DType::f32, .pixel_stride = stride};
  };
  EXPECT_NO_THROW(relu(operand(16), operand(24)));
  EXPECT_THROW(relu(operand(16), operand(12)), Error);  // no room for the padding
  EXPECT_THROW(relu(operand(20), operand(16)), Error);  // no multiple of 8
  EXPECT_THROW(relu(operand(0), operand(16)), Error);   // dense, 12 channels
}

TEST_F(CudaOperands, AreRefusedWhereTheyAreTooLarge) {
  const auto operand = [](const Shape& shape) {
    return Operand{.shape = shape, .dtype = DType::bf16, .pixel_stride = 16};
  };
  const Shape vectors{1 << 10, 1 << 10, 1 << 5, 1 << 5, 16};  // 2^31 vectors of 8
  EXPECT_THROW(relu(operand(vectors), operand(vectors)), Error);
  const Shape beyond{std::int64_t{1} << 40, 1 << 20, 8, 8, 16};
  EXPECT_THROW(relu(operand(beyond), operand(beyond)), Error);
}

TEST_F(CudaOperands, AreRefusedOfOtherTypes) {
  const Operand operand{.shape = {1, 1, 2, 2, 16}, .dtype = DType::f64, .pixel_stride = 16};
  EXPECT_THROW(relu(operand, operand), Error);
}

TEST_F(CudaOperands, AreRefusedUnaligned) {
  const Operand operand{.shape = {1, 1, 1, 2, 8}, .dtype = DType::f32, .pixel_stride = 8};
  const auto kernel = relu(operand, operand);
  const Buffer memory = backend_.allocate(256);
  const auto stream = backend_.make_stream();
  const ConstTensorView x{memory.data() + 4, DType::f32, operand.shape};
  const TensorView y{memory.data() + 128, DType::f32, operand.shape};
  EXPECT_THROW(kernel->run({&x, 1}, {&y, 1}, {}, nullptr, *stream), Error);
}

}  // namespace
}  // namespace tpn
