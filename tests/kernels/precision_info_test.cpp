#include "kernels/precision_info.h"

#include <gtest/gtest.h>

#include "kernels/reference_backend.h"

namespace tpn {
namespace {

TEST(PrecisionInfo, FindsEveryPrecisionByItsName) {
  const std::vector<std::string> names = precision_names();
  EXPECT_EQ(names, (std::vector<std::string>{"f32", "bf16", "f16", "tf32"}));
  for (const std::string& name : names) EXPECT_EQ(name_of(precision_named(name)), name);
  EXPECT_THROW((void)precision_named("f64"), Error);
}

TEST(PrecisionInfo, TellsWhatIsStored) {
  EXPECT_EQ(storage_type(Precision::bf16), DType::bf16);
  EXPECT_EQ(storage_type(Precision::tf32), DType::f32);
}

TEST(PrecisionInfo, AsksTheDeviceForTf32) {
  const ReferenceBackend backend;
  EXPECT_TRUE(supports(backend, Precision::f16));
  EXPECT_FALSE(supports(backend, Precision::tf32));
}

}  // namespace
}  // namespace tpn
