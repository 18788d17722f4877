// What conversion and inspection tell about a file.
#include "weights_converter/report.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/model/model_file.h"
#include "engine/networks/initialize.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"
#include "weights_converter/convert.h"

namespace tpn {
namespace {

const std::filesystem::path corpus = std::filesystem::path(TPN_TEST_DATA) / "checkpoints";

class Report : public testing::Test {
 protected:
  test::TemporaryDirectory folder_;
  std::filesystem::path out_ = folder_ / "model.safetensors";
};

TEST_F(Report, CountsParametersAndWhatIsMissing) {
  ConvertOptions options;
  options.config = test::tiny_config("tpn-slowonly-r50-8x8", 2, 7);
  options.init_missing = true;
  std::int64_t elements = 0;
  for (const ParameterSpec& spec : parameter_specs(*options.config)) {
    if (!spec.is_buffer()) elements += spec.shape.count();
  }
  const auto report = convert_checkpoint(corpus / "tpn-backbone-only.pth", out_, options).value_or_throw();
  EXPECT_EQ(report.elements, elements);
  const std::string text = describe_conversion(report, "in.pth", "out.safetensors");
  EXPECT_NE(text.find(", 7 classes, " + std::to_string(elements) + " parameters\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("  missing:    52 tensors: '" + report.initialized[0] + "', "), std::string::npos)
      << text;
  EXPECT_NE(text.find("', '" + report.initialized[7] + "' and 44 more, initialised"), std::string::npos)
      << text;
}

TEST_F(Report, InspectComparesAModelWithItsConfiguration) {
  const Config config = test::tiny_config("tpn-slowonly-r50-8x8", 2, 7);
  std::vector<SafetensorsOutput> outputs;
  const auto add = [&](const std::string& name, const Shape& shape) {
    outputs.push_back({name, DType::f32, shape, [shape](const auto& sink) {
                         const std::vector<float> zeros(static_cast<std::size_t>(shape.count()));
                         sink(std::as_bytes(std::span(zeros)));
                       }});
  };
  for (const ParameterSpec& spec : parameter_specs(config)) {
    if (spec.name == "backbone.conv1.conv.weight") continue;
    add(spec.name, spec.name == "cls_head.fc_cls.bias" ? Shape{8} : spec.shape);
  }
  add("cls_head.extra", {1});
  write_safetensors(out_, model_metadata(config, {}, {}), outputs);
  const std::string text = inspect_file(out_).value_or_throw();
  EXPECT_NE(text.find("missing:\n  'backbone.conv1.conv.weight' (2, 3, 1, 7, 7)\n"
                      "mismatched:\n  'cls_head.fc_cls.bias' has shape (8,); the model needs (7,)\n"
                      "unexpected:\n  'cls_head.extra'\n"),
            std::string::npos)
      << text;
}

TEST_F(Report, InspectShowsEitherFormat) {
  const std::string checkpoint = inspect_file(corpus / "tpn-missing-conv.pth").value_or_throw();
  EXPECT_NE(checkpoint.find("missing:\n  'backbone.layer3.0.conv2.conv.weight' (8, 8, 1, 3, 3)\n"),
            std::string::npos)
      << checkpoint;
  EXPECT_NE(checkpoint.find("unexpected: none"), std::string::npos);
  const std::string mismatched = inspect_file(corpus / "tpn-wrong-rank.pth").value_or_throw();
  EXPECT_NE(mismatched.find("mismatched:\n"), std::string::npos) << mismatched;
  const std::string odd = inspect_file(corpus / "plain-zip-protocol2.pth").value_or_throw();
  EXPECT_NE(odd.find("configuration: not recognised"), std::string::npos) << odd;
  convert_checkpoint(corpus / "tpn-mmaction2.pth", out_, {}).value_or_throw();
  const std::string model = inspect_file(out_).value_or_throw();
  EXPECT_NE(model.find("format: safetensors"), std::string::npos);
  EXPECT_NE(model.find("missing: none\nmismatched: none\nunexpected: none\n"), std::string::npos) << model;

  const int classes = open_model_file(out_).config.head.num_classes;
  ConvertOptions options;
  options.labels.emplace();
  for (int i = 0; i < classes; ++i) options.labels->push_back("class " + std::to_string(i));
  convert_checkpoint(corpus / "tpn-mmaction2.pth", out_, options).value_or_throw();
  const std::string labelled = inspect_file(out_).value_or_throw();
  EXPECT_NE(labelled.find(std::to_string(classes) + " class names, 'class 0' to '" + options.labels->back() +
                          "'\n"),
            std::string::npos)
      << labelled;

  EXPECT_FALSE(inspect_file(corpus / "bad-crc-data.pth"));
  EXPECT_FALSE(inspect_file(corpus / "manifest.json"));
  EXPECT_FALSE(inspect_file(corpus));
}

}  // namespace
}  // namespace tpn
