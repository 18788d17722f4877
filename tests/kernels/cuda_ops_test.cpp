// Every kernel of every CUDA operation but the convolutions against the operation's reference.
#include <concepts>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/verify/bound_case.h"
#include "kernels/verify/tolerance.h"
#include "tests/support/case_tests.h"
#include "tests/support/expect_agreement.h"

namespace tpn {
namespace {

using test::expect_agreement;
using verify::BindOptions;
using verify::BoundCase;

template <class Op>
concept HasKernel = requires(const Op& op, const Signature& signature) {
  cuda::compile(op, signature);  // declared in compile.h
};

/// Operations that GPUs run, but for convolutions, which have tests of their own.
template <class Op>
concept TestedHere =
    HasKernel<Op> && !std::same_as<Op, ops::Conv3d> && !std::same_as<Op, ops::FusedConv3d> &&
    !std::same_as<Op, ops::Conv3dDataGradient> && !std::same_as<Op, ops::Conv3dWeightGradient>;

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

/// Calls check(options) for every kernel of a case; each picks one.
template <class Op, class Check>
void for_each_kernel(const ops::Case<Op>& /*c*/, const BindOptions& base, const Check& check) {
  std::size_t count = 1;
  for (std::size_t i = 0; i < count; ++i) {
    BindOptions options = base;
    options.compile = [&count, i](const AnyOp& op, const Signature& signature) {
      std::vector<std::unique_ptr<Kernel>> kernels = kernels_of<Op>(op, signature);
      count = kernels.size();
      return std::move(kernels[i]);
    };
    check(options);
  }
}

const CudaBackend& cuda_backend() {
  static const CudaBackend backend;
  return backend;
}

double tolerance(DType precision) {
  switch (precision) {
    case DType::f16:
      return verify::op_f16_relative_l2;
    case DType::bf16:
      return verify::op_bf16_relative_l2;
    default:
      return verify::op_f32_relative_l2;
  }
}

/// Whether check(case, precision) can be called with cases of an operation.
template <class Op, class Check>
concept CheckedBy = requires(const Check& check, const ops::Case<Op>& c) {
  check(c, DType::f32);  // a body without constraints is instantiated by clang to find out
};

/// Registers SUITE/cuda/PRECISION.OPERATION/CASE: check(case, precision), for the operations for which it can
/// be called.
template <class Check>
bool on_cuda(const std::string& suite, const Check& check) {
  for (const DType precision : {DType::f32, DType::f16, DType::bf16}) {
    const auto test = [=]<CheckedBy<Check> Op>(const ops::Case<Op>& c) { check(c, precision); };
    test::register_case_tests(suite + "/cuda/" + std::string(name_of(precision)), test);
  }
  return true;
}

/// Runs every kernel of the case with these strides.
template <class Op>
void compare(const ops::Case<Op>& c, const BindOptions& base) {
  for_each_kernel(c, base, [&](const BindOptions& options) {
    BoundCase bound(c, cuda_backend(), options);
    SCOPED_TRACE(bound.kernel().implementation());
    bound.run();
    // The inputs are rounded to bf16, so that f32 and bf16 hold them; the smallest f16 does not.
    const bool exact = moves<Op> && base.precision != DType::f16;
    expect_agreement(c, bound, exact ? 0.0 : tolerance(base.precision));
    EXPECT_EQ(bound.stray_channels(), 0);
    EXPECT_GT(bound.kernel().work().bytes, 0);
  });
}

const bool agree = on_cuda(
    "AgreesWithTheReference",
    []<TestedHere Op>(const ops::Case<Op>& c, DType precision) { compare(c, {.precision = precision}); });

const bool take_slices =
    on_cuda("ReadsAndWritesSlicesOfWiderTensors", []<TestedHere Op>(const ops::Case<Op>& c, DType precision) {
      compare(c, {.precision = precision, .extra_output_stride = 16, .extra_input_stride = 8});
    });

const bool keep_nan = on_cuda("KeepsNan", []<TestedHere Op>(const ops::Case<Op>& c, DType precision) {
  for_each_kernel(c, {.precision = precision, .nan_at = verify::middle_of(c)},
                  [&](const BindOptions& options) {
                    BoundCase bound(c, cuda_backend(), options);
                    bound.run();
                    EXPECT_GE(verify::kept_nans(verify::reference_output(c, bound), bound.output()), 0)
                        << bound.kernel().implementation();
                  });
});

/// A slice's pixels are further apart than those of a dense input: it cannot take the input's memory.
const bool same_in_place =
    on_cuda("GivesTheSameInPlace", []<TestedHere Op>(const ops::Case<Op>& c, DType precision) {
      for_each_kernel(c, {.precision = precision}, [&](const BindOptions& options) {
        BoundCase apart(c, cuda_backend(), options), shared(c, cuda_backend(), options);
        if (shared.kernel().in_place_input() < 0) return;
        apart.run();
        shared.run_in_place();
        EXPECT_EQ(shared.output(), apart.output()) << apart.kernel().implementation();
      });
      if (c.inputs[0].kind != Kind::activation) return;
      const BoundCase slice(c, cuda_backend(), BindOptions{.precision = precision, .extra_output_stride = 8});
      EXPECT_EQ(slice.kernel().in_place_input(), -1);
    });

template <class Op>
concept HasState = requires(std::size_t inputs) {
  Op::aliases(inputs);  // which of its outputs are inputs in their place
};
template <class Op>
concept UpdatesState = TestedHere<Op> && HasState<Op>;

const bool update_state =
    on_cuda("UpdatesStateInItsPlace", []<UpdatesState Op>(const ops::Case<Op>& c, DType precision) {
      BoundCase bound(c, cuda_backend(), precision);
      bound.run_updating(tpn::aliases(c.op, c.inputs.size()));
      expect_agreement(c, bound, tolerance(precision));
    });

/// Blocks go on in another order each time: sums must not depend on it.
const bool same_every_time =
    on_cuda("GivesTheSameEveryTime", []<TestedHere Op>(const ops::Case<Op>& c, DType precision) {
      BoundCase first(c, cuda_backend(), precision), second(c, cuda_backend(), precision);
      first.run();
      second.run();
      for (std::size_t i = 0; i < first.output_count(); ++i) EXPECT_EQ(first.output(i), second.output(i));
    });

/// All of those of networks and of their training, but for what a device alone cannot do.
TEST(CudaBackend, RunsTheOperationsOfNetworks) {
  std::set<std::string_view> missing, in_place;
  for_each_op([&]<class Op>(std::type_identity<Op>) {
    const ops::Case<Op> c = Op::cases().front();
    if (!cuda_backend().supports(AnyOp(c.op))) {
      missing.insert(Op::name);
    } else if (BoundCase(c, cuda_backend(), DType::f32).kernel().in_place_input() >= 0) {
      in_place.insert(Op::name);
    }
  });
  EXPECT_EQ(missing, (std::set<std::string_view>{"all_gather"}));
  for (const char* name : {"batch_norm", "relu", "add", "softmax", "batch_norm_gradient", "relu_gradient",
                           "frozen_batch_norm_gradient", "batch_norm_gradient_synchronized", "dropout"}) {
    EXPECT_TRUE(in_place.contains(name)) << name;
  }
}

/// The kernels that a case has, in order.
template <class Op>
std::vector<std::string> implementations(const ops::Case<Op>& c, DType precision) {
  std::vector<std::string> names;
  for_each_kernel(c, {.precision = precision}, [&](const BindOptions& options) {
    names.push_back(BoundCase(c, cuda_backend(), options).kernel().implementation());
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
