#include "engine/model/model_file.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using test::TemporaryDirectory;

Config small_config() {
  Config config = builtin_config("tpn-slowonly-r50-8x8");
  config.head.num_classes = 2;
  config.neck.aux_head->out_channels = 2;
  return config;
}

TEST(ModelFile, CarriesConfigLabelsAndSource) {
  const TemporaryDirectory folder;
  write_safetensors(folder / "m",
                    {{"tpn.config", to_json(small_config())},
                     {"tpn.labels", R"(["yes","n\u00f6"])"},
                     {"tpn.source", R"({"file":"x.pth"})"}},
                    {});
  const ModelFile model = open_model_file(folder / "m");
  EXPECT_EQ(model.config, small_config());
  EXPECT_EQ(model.labels, (std::vector<std::string>{"yes", "n\xc3\xb6"}));
  EXPECT_EQ(model.source, R"({"file":"x.pth"})");
  EXPECT_TRUE(model.tensors.entries().empty());
}

TEST(ModelFile, LabelsAndSourceMayBeAbsent) {
  const TemporaryDirectory folder;
  write_safetensors(folder / "m", {{"tpn.config", to_json(small_config())}}, {});
  const ModelFile model = open_model_file(folder / "m");
  EXPECT_TRUE(model.labels.empty());
  EXPECT_EQ(model.source, "");
}

TEST(ModelFile, EveryRefusalNamesTheFile) {
  const TemporaryDirectory folder;
  const std::string path = folder / "m";
  const auto expect_refusal = [&](const std::string& part) {
    try {
      open_model_file(path);
      FAIL() << "expected a refusal with: " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect_refusal("cannot be read");
  write_safetensors(path, {}, {});
  expect_refusal("tpn.config");
  write_safetensors(path, {{"tpn.config", "{}"}}, {});
  expect_refusal("model is missing");
  const std::string config = to_json(small_config());
  write_safetensors(path, {{"tpn.config", config}, {"tpn.labels", R"(["one"])"}}, {});
  expect_refusal("2 classes");
  write_safetensors(path, {{"tpn.config", config}, {"tpn.labels", R"(["one", 2])"}}, {});
  expect_refusal("tpn.labels[1]");
  write_safetensors(path, {{"tpn.config", config}, {"tpn.labels", "[["}}, {});
  expect_refusal("JSON");
}

}  // namespace
}  // namespace tpn
