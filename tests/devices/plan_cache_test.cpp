#include "engine/devices/plan_cache.h"

#include <gtest/gtest.h>

#include "engine/networks/initialize.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn {
namespace {

PlanKey base_key() {
  return {.device = {.threads = 1}, .size = {1, 4, 32, 32}, .options = {}};
}

class PlanCacheTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const Weights> tiny_weights() {
    const test::TemporaryDirectory directory;
    const std::filesystem::path path = directory / "model.safetensors";
    write_random_model(test::tiny_config("tpn-slowonly-r50-8x8", 2, 5), Initialization::varied, 7, {}, path);
    return Weights::load(path);  // stays mapped when the folder goes
  }

  PlanCache cache_{tiny_weights()};
};

TEST_F(PlanCacheTest, KeepsAPlanForEverythingItDependsOn) {
  std::vector<PlanKey> keys{base_key()};
  const auto also = [&](auto change) {
    keys.push_back(base_key());
    change(keys.back());
  };
  also([](PlanKey& key) { key.device.threads = 2; });
  also([](PlanKey& key) { key.size.views = 2; });
  also([](PlanKey& key) { key.size.frames = 8; });
  also([](PlanKey& key) { key.size.height = 48; });
  also([](PlanKey& key) { key.size.width = 48; });
  also([](PlanKey& key) { key.options.features = {"neck"}; });
  also([](PlanKey& key) { key.options.fuse = false; });
  std::vector<std::shared_ptr<const Plan>> plans;
  for (const PlanKey& key : keys) plans.push_back(cache_.plan(key));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(cache_.plan(keys[i]), plans[i]) << i;
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(plans[i], plans[j]) << i << " and " << j;
  }
  EXPECT_EQ(plans[2]->input().shape, (Shape{2, 4, 32, 32, 3}));
  EXPECT_EQ(plans[5]->input().shape, (Shape{1, 4, 32, 48, 3}));
}

TEST_F(PlanCacheTest, KeepsPrecisionsApart) {
  PlanKey bf16 = base_key();
  bf16.options.precision = Precision::bf16;
  if (!cache_.backend(bf16.device)->supports(DType::bf16)) GTEST_SKIP() << "This processor has no bf16.";
  EXPECT_EQ(cache_.plan(base_key())->input().dtype, DType::f32);
  EXPECT_EQ(cache_.plan(bf16)->input().dtype, DType::bf16);
  EXPECT_EQ(cache_.plan(base_key())->input().dtype, DType::f32);
}

TEST_F(PlanCacheTest, KeepsThePlansThatWereUsedLast) {
  const auto plan_of = [&](int views) {
    PlanKey key = base_key();
    key.size.views = views;
    return cache_.plan(key);
  };
  std::vector<std::shared_ptr<const Plan>> plans;  // alive, so that no address is used twice
  for (int views = 1; views <= 8; ++views) plans.push_back(plan_of(views));
  EXPECT_EQ(plan_of(1), plans[0]);
  plans.push_back(plan_of(9));
  EXPECT_EQ(plan_of(1), plans[0]) << "it was used more lately than the others";
  EXPECT_NE(plan_of(2), plans[1]) << "of nine plans, eight are kept";
}

TEST_F(PlanCacheTest, HasOneBackendForADevice) {
  const DeviceOptions one = base_key().device;
  DeviceOptions two = one;
  two.threads = 2;
  const auto backend = cache_.backend(one);
  EXPECT_EQ(cache_.backend(one), backend);
  EXPECT_NE(cache_.backend(two), backend);
  EXPECT_EQ(&cache_.plan(base_key())->backend(), backend.get());
}

}  // namespace
}  // namespace tpn
