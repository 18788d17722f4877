#include "benchmarks/check_case.h"

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference_backend.h"

namespace tpn::benchmarks {
namespace {

using FusedCase = ops::Case<ops::FusedConv3d>;

TEST(SampleReference, EqualsTheWholeReference) {
  const ReferenceBackend backend;
  int cases = 0;
  for (const FusedCase& c : ops::FusedConv3d::cases()) {
    if (c.full_size) continue;
    SCOPED_TRACE(c.label);
    const verify::BoundCase bound(c, backend, DType::f32);
    const std::vector<float> whole = verify::reference_output(c, bound);
    const SampledOutput sample = sample_reference(c.op, bound.reference_inputs());
    ASSERT_GE(sample.indices.size(), 200U);
    for (std::size_t i = 0; i < sample.indices.size(); ++i) {
      ASSERT_FLOAT_EQ(sample.expected[i], whole.at(sample.indices[i]));
    }
    ++cases;
  }
  EXPECT_GT(cases, 50);
}

/// A layer large enough that most of its elements are not sampled.
FusedCase layer(bool full_size) {
  return {"layer",
          {.conv = {.padding = {0, 1, 1}}, .relu = true},
          {activation({1, 2, 12, 12, 16}), weight({32, 16, 1, 3, 3})},
          {},
          full_size};
}

TEST(DeviationFromReference, IsSmallForWhatIsRight) {
  const CpuBackend backend(1);
  for (const bool full_size : {false, true}) {
    const FusedCase c = layer(full_size);
    verify::BoundCase bound(c, backend, DType::f32);
    bound.run();
    EXPECT_LE(deviation_from_reference(c, bound), case_tolerance(DType::f32));
  }
}

TEST(DeviationFromReference, IsLargeForWhatIsWrong) {
  const CpuBackend backend(1);
  for (const bool full_size : {false, true}) {
    const FusedCase right = layer(full_size);
    FusedCase wrong = right;
    wrong.op.relu = false;
    verify::BoundCase bound(wrong, backend, DType::f32);
    bound.run();
    EXPECT_GT(deviation_from_reference(right, bound), 100 * case_tolerance(DType::f32));
  }
}

TEST(BytesMoved, CountsEveryOperandOnce) {
  const std::vector inputs{activation({1, 2, 3, 4, 8}), weight({16, 8, 1, 1, 1}), per_channel(16)},
      outputs{activation({1, 2, 3, 4, 16})};
  EXPECT_EQ(bytes_moved(inputs, outputs, DType::f32), 4 * (192 + 128 + 16 + 384));
  EXPECT_EQ(bytes_moved(inputs, outputs, DType::bf16), 2 * (192 + 128 + 384) + 4 * 16);
}

}  // namespace
}  // namespace tpn::benchmarks
