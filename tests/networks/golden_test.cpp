// Every network against its golden: all intermediate features, on the reference maths and on the CPU backend.
//
// Goldens come from tests/data/goldens, from the folders of TPN_GOLDEN_DIRS (colon-separated) and, in a
// checkout that has one beside it, from the reference's own folders.
#include "tests/support/golden.h"

#include <algorithm>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "engine/exec/executor.h"
#include "engine/networks/network.h"
#include "kernels/convert.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference_backend.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tolerance.h"
#include "weights_converter/convert.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;

struct GoldenName {
  fs::path directory;
  std::string name;
};

void PrintTo(const GoldenName& golden, std::ostream* out) {
  *out << (golden.directory / golden.name).string();
}

std::vector<GoldenName> forward_goldens() {
  std::vector<fs::path> directories = test::golden_directories(TPN_TEST_DATA "/goldens", "TPN_GOLDEN_DIRS");
  for (const char* folder : {"/reference/goldens", "/reference/goldens_base16"}) {
    if (fs::exists(TPN_SHARED_DATA + std::string(folder)))
      directories.emplace_back(TPN_SHARED_DATA + std::string(folder));
  }
  std::vector<GoldenName> found;
  std::set<std::string> seen;  // the reference's own folder holds the same files as tests/data
  for (const fs::path& directory : directories) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      if (file.extension() != ".json" || file.stem() == "index") continue;
      const nlohmann::json record = nlohmann::json::parse(std::ifstream(file));
      if (record.value("kind", "") != "forward") continue;
      const std::string identity =
          file.stem().string() + record.at("seed").dump() + record.at("bin_bytes").dump();
      if (seen.insert(identity).second) found.push_back({directory, file.stem().string()});
    }
  }
  return found;
}

/// A golden with its network, weights and input in the layout of the plan.
class GoldenNetwork {
 public:
  explicit GoldenNetwork(const GoldenName& which)
      : golden(test::Golden::load(which.directory, which.name)), size_{}, weights_(load(which)) {
    const Config& config = weights_->config();
    flat_ = config.backbone.dims == 2;
    const Shape& s = golden.tensor("input").shape;  // (N,V,3,T,H,W), or (N,V*S,3,H,W)
    const std::int64_t frames = flat_ ? config.backbone.num_segments : s[3];
    size_ = flat_ ? InputSize{s[0] * s[1] / frames, frames, s[3], s[4]}
                  : InputSize{s[0] * s[1], frames, s[4], s[5]};
    graph_ = build_network(config, size_);
  }

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const Config& config() const { return weights_->config(); }
  [[nodiscard]] std::int64_t views() const { return size_.views; }

  /// Features named by the golden, with logits.
  [[nodiscard]] std::map<std::string, std::vector<float>> run(std::shared_ptr<const Backend> backend,
                                                              DType precision, bool fuse) const {
    PlanOptions options{.precision = precision, .fuse = fuse};
    for (const std::string& name : golden.names()) {
      if (name != "input" && name != "prob" && name != "score" && name != "logits")
        options.features.push_back(name);
    }
    Executor executor(std::make_shared<Plan>(graph_, std::move(backend), *weights_, options));
    fill(executor.input());
    executor.run();
    options.features.emplace_back("logits");
    std::map<std::string, std::vector<float>> features;
    for (const std::string& name : options.features) {
      Feature feature = executor.feature(name);
      const bool by_frame = flat_ && (name == "stem" || name.starts_with("stage"));
      features[name] = by_frame ? frames_outside(feature) : std::move(feature.values);
    }
    return features;
  }

  test::Golden golden;

 private:
  /// Through the converter, as a user's file would come.
  static std::shared_ptr<const Weights> load(const GoldenName& which) {
    const test::TemporaryDirectory directory;
    const fs::path model = directory.path() / "model.safetensors";
    const auto converted = convert_checkpoint(which.directory / (which.name + ".pth"), model, {});
    if (!converted) throw Error(converted.failure().message);
    return Weights::load(model);  // stays mapped when the folder goes
  }

  /// (N,3,T,H,W) or (N,T,3,H,W) to (N,T,H,W,3), in the plan's type.
  void fill(const TensorView& input) const {
    const std::span<const float> from = golden.values<float>("input", DType::f32);
    const std::int64_t pixels = size_.height * size_.width, frames = size_.frames;
    std::vector<float> to(from.size());
    for (std::int64_t n = 0; n < size_.views; ++n)
      for (std::int64_t t = 0; t < frames; ++t)
        for (std::int64_t c = 0; c < 3; ++c)
          for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
            const std::int64_t plane = flat_ ? (n * frames + t) * 3 + c : (n * 3 + c) * frames + t;
            to[static_cast<std::size_t>(((n * frames + t) * pixels + pixel) * 3 + c)] =
                from[static_cast<std::size_t>(plane * pixels + pixel)];
          }
    convert(reinterpret_cast<const std::byte*>(to.data()), DType::f32, input.data, input.dtype, to.size());
  }

  /// (N,C,T,H,W) to (N*T,C,H,W): the 2D backbone's layout.
  static std::vector<float> frames_outside(const Feature& feature) {
    const Shape& s = feature.shape;
    const std::int64_t pixels = s[3] * s[4];
    std::vector<float> values(feature.values.size());
    for (std::int64_t n = 0; n < s[0]; ++n)
      for (std::int64_t c = 0; c < s[1]; ++c)
        for (std::int64_t t = 0; t < s[2]; ++t)
          std::copy_n(feature.values.begin() + ((n * s[1] + c) * s[2] + t) * pixels, pixels,
                      values.begin() + ((n * s[2] + t) * s[1] + c) * pixels);
    return values;
  }

  InputSize size_;
  std::shared_ptr<const Weights> weights_;
  Graph graph_;
  bool flat_ = false;
};

class GoldenTest : public ::testing::TestWithParam<GoldenName> {
 protected:
  GoldenNetwork network_{GetParam()};
};

TEST_P(GoldenTest, HasTheSizeOfTheReference) {
  const nlohmann::json& expected = network_.golden.record().at("expected");
  std::int64_t parameters = 0;
  for (const ParameterSpec& spec : parameter_specs(network_.config())) {
    parameters += spec.is_buffer() ? 0 : spec.shape.count();
  }
  EXPECT_EQ(parameters, expected.at("parameters").get<std::int64_t>());
  EXPECT_EQ(network_.graph().multiply_adds(),
            network_.views() * expected.at("macs_per_view").get<std::int64_t>());
}

TEST_P(GoldenTest, AgreesInF32) {
  const nlohmann::json& fp32_error = network_.golden.record().at("fp32_error");
  for (const bool fuse : {true, false}) {
    const auto features = network_.run(std::make_shared<CpuBackend>(2), DType::f32, fuse);
    EXPECT_GE(features.size(), 16U);
    for (const auto& [name, values] : features) {
      const auto expected = network_.golden.values<float>(name, DType::f32);
      ASSERT_EQ(values.size(), expected.size()) << name;
      EXPECT_LE(test::max_abs_difference(values, expected),
                test::golden_f32_factor * fp32_error.at(name).at(0).get<double>())
          << name << (fuse ? ", fused" : ", not fused");
    }
  }
}

TEST_P(GoldenTest, AgreesInBf16AsFarAsItsStorageAllows) {
  const auto backend = std::make_shared<CpuBackend>(2);
  if (!backend->supports(DType::bf16)) GTEST_SKIP() << "This processor does not compute in bf16.";
  if (network_.graph().multiply_adds() > 300'000'000)
    GTEST_SKIP() << "Too large for the reference in double.";
  const auto features = network_.run(backend, DType::bf16, true);
  const auto rounded = network_.run(std::make_shared<ReferenceBackend>(), DType::bf16, true);
  for (const auto& [name, values] : features) {
    const auto expected = network_.golden.values<float>(name, DType::f32);
    const double storage = test::relative_l2(rounded.at(name), expected);
    EXPECT_LE(test::relative_l2(values, expected),
              std::max(test::golden_bf16_relative_l2, test::golden_bf16_storage_factor * storage))
        << name;
  }
}

TEST_P(GoldenTest, AgreesExactlyInF64) {
  if (network_.graph().multiply_adds() > 300'000'000)
    GTEST_SKIP() << "Too large for the reference in double.";
  constexpr std::int64_t dense = 1, padded_to_8 = 8;
  for (const std::int64_t alignment : {dense, padded_to_8}) {
    const auto features = network_.run(std::make_shared<ReferenceBackend>(alignment), DType::f64, true);
    for (const auto& [name, values] : features) {
      EXPECT_LE(test::relative_l2(values, network_.golden.values<float>(name, DType::f32)),
                test::golden_f64_relative_l2)
          << name << ", channels aligned to " << alignment;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Forward, GoldenTest, ::testing::ValuesIn(forward_goldens()), [](const auto& golden) {
  std::string name = golden.param.directory.filename().string() + "_" + golden.param.name + "_" +
                     std::to_string(golden.index);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

TEST(Goldens, AreThere) {
  EXPECT_GE(forward_goldens().size(), 11U);
}

}  // namespace
}  // namespace tpn
