#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "engine/networks/network.h"
#include "tests/support/tiny_config.h"

namespace tpn {
namespace {

std::int64_t learned(const Config& config) {
  std::int64_t sum = 0;
  for (const ParameterSpec& spec : parameter_specs(config)) sum += spec.is_buffer() ? 0 : spec.shape.count();
  return sum;
}

const ParameterSpec& find(const std::vector<ParameterSpec>& specs, const std::string& name) {
  for (const ParameterSpec& spec : specs) {
    if (spec.name == name) return spec;
  }
  throw Error("no parameter named " + name);
}

TEST(Parameters, OfTheReleasedModels) {
  EXPECT_EQ(learned(builtin_config("tpn-slowonly-r50-8x8")), 91'498'336);  // published with the model
  EXPECT_EQ(parameter_specs(builtin_config("tpn-slowonly-r50-8x8")).size(), 379U);
  EXPECT_EQ(parameter_specs(builtin_config("tpn-tsm-r50-1x1x8")).size(), 379U);
}

TEST(Parameters, HaveDistinctNamesInEveryConfiguration) {
  for (const std::string& name : builtin_config_names()) {
    std::set<std::string> names;
    for (const ParameterSpec& spec : parameter_specs(builtin_config(name))) {
      EXPECT_TRUE(names.insert(spec.name).second) << name << ": " << spec.name;
    }
  }
}

TEST(Parameters, FollowTheNamesAndShapesOfMmaction2) {
  const auto slow = parameter_specs(builtin_config("tpn-slowonly-r50-8x8"));
  EXPECT_EQ(slow.front().name, "backbone.conv1.conv.weight");
  EXPECT_EQ(slow.back().name, "cls_head.fc_cls.bias");
  EXPECT_EQ(find(slow, "backbone.conv1.conv.weight").shape, (Shape{64, 3, 1, 7, 7}));
  EXPECT_EQ(find(slow, "backbone.layer3.0.conv1.conv.weight").shape, (Shape{256, 512, 3, 1, 1}));
  EXPECT_EQ(find(slow, "backbone.layer1.0.conv1.conv.weight").shape, (Shape{64, 64, 1, 1, 1}));
  EXPECT_EQ(find(slow, "neck.temporal_modulation_ops.0.conv.conv.weight").shape, (Shape{1024, 64, 3, 1, 1}));
  EXPECT_EQ(find(slow, "neck.spatial_modulation.spatial_modulation.0.0.conv.weight").shape,
            (Shape{2048, 1024, 1, 3, 3}));
  EXPECT_EQ(find(slow, "backbone.conv1.bn.num_batches_tracked").shape, Shape{});
  EXPECT_FALSE(find(slow, "neck.pyramid_fusion.conv.weight").training_only);
  EXPECT_TRUE(find(slow, "neck.aux_head.fc.weight").training_only);

  const auto tsm = parameter_specs(builtin_config("tpn-tsm-r50-1x1x8"));
  EXPECT_EQ(find(tsm, "backbone.layer1.0.conv1.conv.net.weight").shape, (Shape{64, 64, 1, 1}));
  EXPECT_EQ(find(tsm, "backbone.layer1.0.conv2.conv.weight").shape, (Shape{64, 64, 3, 3}));
}

TEST(Parameters, ShiftEverySecondBlockOfADeepResidualShift) {
  Config config = test::tiny_config("tpn-tsm-r50-1x1x8");
  config.backbone.depth = 101;
  const auto shifted = [&] {
    int count = 0;
    for (const ParameterSpec& spec : parameter_specs(config))
      count += spec.name.ends_with(".conv1.conv.net.weight");
    return count;
  };
  EXPECT_EQ(shifted(), 2 + 2 + 12 + 2);
  config.backbone.tsm_position = TsmPosition::inplace;
  EXPECT_EQ(shifted(), 3 + 4 + 23 + 3);
}

TEST(Network, NeedsLevelsThatMeet) {
  const Config config = test::tiny_config("tpn-slowonly-r50-8x8-3level");
  EXPECT_NO_THROW(build_network(config, {1, 16, 64, 64}));
  EXPECT_THROW(build_network(config, {1, 9, 64, 64}), Error);  // levels of 5, 3 and 2 frames
}

TEST(Network, OfShiftsTakesItsSegmentsOnly) {
  EXPECT_THROW(build_network(test::tiny_config("tpn-tsm-r50-1x1x8"), {1, 16, 64, 64}), Error);
}

TEST(Network, CountsTheWorkOfTheReleasedModel) {
  const Config config = builtin_config("tpn-slowonly-r50-8x8");
  const auto giga = [&](std::int64_t side) {
    return static_cast<double>(build_network(config, {1, 8, side, side}).multiply_adds()) * 1e-9;
  };
  EXPECT_NEAR(giga(256), 65.667, 5e-4);
  EXPECT_NEAR(giga(224), 50.276, 5e-4);
}

}  // namespace
}  // namespace tpn
