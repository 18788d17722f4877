#include "engine/networks/initialize.h"

#include <bit>
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "engine/model/model_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn {
namespace {

std::vector<float> values(const ParameterSpec& spec, Initialization initialization, std::uint64_t seed = 1,
                          const char* config = "tpn-slowonly-r50-8x8") {
  std::vector<float> result;
  initialize_parameter(spec, builtin_config(config), initialization, seed,
                       [&](std::span<const std::byte> piece) {
                         const std::size_t old = result.size();
                         result.resize(old + piece.size() / sizeof(float));
                         std::memcpy(result.data() + old, piece.data(), piece.size());
                       });
  return result;
}

struct Moments {
  double mean = 0;
  double deviation = 0;
};
Moments moments(const std::vector<float>& values) {
  Moments m;
  for (const float v : values) m.mean += v / static_cast<double>(values.size());
  for (const float v : values)
    m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

void expect_moments(const std::vector<float>& values, double mean, double deviation) {
  const Moments found = moments(values);
  EXPECT_NEAR(found.mean, mean, 0.02 * deviation);
  EXPECT_NEAR(found.deviation, deviation, 0.02 * deviation);
}

const Shape kernel{64, 32, 3, 3, 3};

TEST(Initialize, FromScratchIsMmaction2s) {
  const auto scratch = Initialization::from_scratch;
  expect_moments(values({"backbone.layer1.0.conv2.conv.weight", kernel, ParameterKind::conv_weight}, scratch),
                 0, std::sqrt(2.0 / (64 * 27)));
  const double bound = std::sqrt(6.0 / (96 * 27));
  const auto xavier =
      values({"neck.pyramid_fusion.conv.weight", kernel, ParameterKind::conv_weight}, scratch);
  expect_moments(xavier, 0, bound / std::sqrt(3.0));
  for (const float v : xavier) ASSERT_LE(std::abs(v), bound);
  expect_moments(values({"cls_head.fc_cls.weight", {100, 500}, ParameterKind::fc_weight}, scratch), 0, 0.01);
  const auto one = [&](const char* name, ParameterKind kind) {
    return values({name, {1}, kind}, scratch)[0];
  };
  EXPECT_EQ(one("backbone.conv1.bn.weight", ParameterKind::bn_scale), 1);
  EXPECT_EQ(one("backbone.layer1.0.conv3.bn.weight", ParameterKind::bn_scale), 0);
  const ParameterSpec last{"backbone.layer1.0.conv3.bn.weight", {1}, ParameterKind::bn_scale};
  EXPECT_EQ(values(last, scratch, 1, "tpn-tsm-r50-1x1x8")[0], 1) << "of image networks";
  EXPECT_EQ(one("backbone.conv1.bn.bias", ParameterKind::bn_shift), 0);
  EXPECT_EQ(one("backbone.conv1.bn.running_mean", ParameterKind::bn_mean), 0);
  EXPECT_EQ(one("backbone.conv1.bn.running_var", ParameterKind::bn_variance), 1);
  EXPECT_EQ(one("cls_head.fc_cls.bias", ParameterKind::fc_bias), 0);
}

TEST(Initialize, VariedLeavesNothingTrivial) {
  const auto varied = Initialization::varied;
  expect_moments(values({"backbone.layer1.0.conv2.conv.weight", kernel, ParameterKind::conv_weight}, varied),
                 0, std::sqrt(2.0 / (32 * 27)));
  const Shape many{50'000};
  expect_moments(values({"backbone.conv1.bn.weight", many, ParameterKind::bn_scale}, varied), 1,
                 1 / std::sqrt(12.0));
  expect_moments(values({"backbone.layer1.0.conv3.bn.weight", many, ParameterKind::bn_scale}, varied), 0.25,
                 0.25 / std::sqrt(12.0));
  expect_moments(values({"backbone.conv1.bn.bias", many, ParameterKind::bn_shift}, varied), 0, 0.2);
  const auto variances = values({"backbone.conv1.bn.running_var", many, ParameterKind::bn_variance}, varied);
  for (const float v : variances) ASSERT_TRUE(v >= 0.7F && v <= 1.4F) << v;
}

TEST(Initialize, SeedsAndNamesGiveDifferentValues) {
  const ParameterSpec a{"backbone.conv1.bn.bias", {8}, ParameterKind::bn_shift};
  const ParameterSpec b{"backbone.conv1.bn.running_mean", {8}, ParameterKind::bn_shift};
  EXPECT_EQ(values(a, Initialization::varied), values(a, Initialization::varied));
  EXPECT_NE(values(a, Initialization::varied), values(a, Initialization::varied, 2));
  EXPECT_NE(values(a, Initialization::varied), values(b, Initialization::varied));
}

/// These bits must never change: benchmarks and goldens elsewhere are made from seeds.
TEST(Initialize, TheStreamIsFixed) {
  const auto first_bits = [](const char* name, const Shape& shape, ParameterKind kind) {
    return std::bit_cast<std::uint32_t>(values({name, shape, kind}, Initialization::varied)[0]);
  };
  EXPECT_EQ(first_bits("backbone.conv1.bn.bias", {2}, ParameterKind::bn_shift), 1045616231U);
  EXPECT_EQ(first_bits("backbone.conv1.bn.weight", {2}, ParameterKind::bn_scale), 1068957220U);
  EXPECT_EQ(first_bits("backbone.layer1.0.conv2.conv.weight", kernel, ParameterKind::conv_weight),
            1016185678U);
}

TEST(Initialize, WritesAWholeModelFile) {
  const test::TemporaryDirectory folder;
  const Config config = test::tiny_config("tpn-tsm-r50-1x1x8", 2, 3);
  write_random_model(config, Initialization::varied, 7, {"a", "b", "c"}, folder / "m");
  const ModelFile model = open_model_file(folder / "m");
  EXPECT_EQ(model.config, config);
  EXPECT_EQ(model.labels.size(), 3U);
  EXPECT_NE(model.source.find("\"seed\": 7"), std::string::npos);
  const auto specs = parameter_specs(config);
  EXPECT_EQ(model.tensors.entries().size(), specs.size());
  for (const ParameterSpec& spec : specs) {
    const auto* entry = model.tensors.find(spec.name);
    ASSERT_NE(entry, nullptr) << spec.name;
    EXPECT_EQ(entry->shape, spec.shape) << spec.name;
  }
}

}  // namespace
}  // namespace tpn
