#include "benchmarks/verification.h"

#include <limits>

#include <gtest/gtest.h>

#include "kernels/convert.h"
#include "kernels/memory.h"

namespace tpn::benchmarks {
namespace {

std::vector<float> views(std::int64_t first, std::int64_t count, DType dtype) {
  TensorView batch{nullptr, dtype, {count, 2, 8, 8, 3}};
  const HostBuffer memory(batch.bytes());
  batch.data = memory.data();
  fill_views(batch, first);
  return to_floats(read_only(batch));
}

TEST(FillViews, GivesAViewTheSameNumbersInAnyBatchAndPrecision) {
  const std::vector<float> three = views(0, 3, DType::f32);
  EXPECT_EQ(views(0, 3, DType::bf16), three);
  const std::vector<float> second = views(1, 1, DType::f32);
  EXPECT_TRUE(std::equal(second.begin(), second.end(), three.begin() + second.size()));
  EXPECT_FALSE(std::equal(second.begin(), second.end(), three.begin()));
}

TEST(FillViews, HasMeanZeroAndVarianceOne) {
  double sum = 0, squares = 0;
  const std::vector<float> values = views(0, 20, DType::f32);
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / static_cast<double>(values.size()), 0, 0.05);
  EXPECT_NEAR(squares / static_cast<double>(values.size()), 1, 0.05);
}

TEST(VerifyLogits, PassesWhatIsRight) {
  const std::vector<float> reference{1, -2, 3, 4, 5, 6};
  EXPECT_TRUE(verify_logits(reference, Precision::f32, reference).passed());
  const std::vector<float> first_view{1, -2, 3};
  EXPECT_TRUE(verify_logits(first_view, Precision::f32, reference).passed());
}

TEST(VerifyLogits, RefusesWhatIsWrong) {
  const std::vector<float> reference{1, -2, 3};
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const std::vector<float> swapped{-2, 1, 3}, broken{1, -2, std::numeric_limits<float>::quiet_NaN()};
    EXPECT_FALSE(verify_logits(swapped, precision, reference).passed());
    EXPECT_FALSE(verify_logits(broken, precision, reference).passed());
  }
  const std::vector<float> rounded{1.004F, -2, 3};
  EXPECT_FALSE(verify_logits(rounded, Precision::f32, reference).passed());
  EXPECT_TRUE(verify_logits(rounded, Precision::bf16, reference).passed());
}

}  // namespace
}  // namespace tpn::benchmarks
