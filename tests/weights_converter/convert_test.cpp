#include "weights_converter/convert.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/model/labels.h"
#include "engine/model/model_file.h"
#include "kernels/convert.h"
#include "kernels/half.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"
#include "tests/weights_converter/synthetic_checkpoint.h"
#include "weights_converter/report.h"
#include "weights_converter/sha256.h"
#include "weights_converter/to_pth.h"
#include "weights_converter/zip_archive.h"

namespace tpn {
namespace {

using nlohmann::json;
using test::TemporaryDirectory;

const std::filesystem::path corpus = std::filesystem::path(TPN_TEST_DATA) / "checkpoints";

/// Name -> dtype, shape and bytes of every tensor of a model file.
std::map<std::string, std::string> tensors_of(const ModelFile& model) {
  std::map<std::string, std::string> tensors;
  for (const auto& entry : model.tensors.entries()) {
    const ConstTensorView view = model.tensors.view(entry);
    tensors[entry.name] = std::string(name_of(entry.dtype)) + to_string(entry.shape) +
                          std::string(reinterpret_cast<const char*>(view.data), view.bytes());
  }
  return tensors;
}

using Tensors = std::map<std::string, std::string>;

/// Where two models differ first, by name; empty when they are equal. Their bytes would say little.
std::string first_difference(const Tensors& found, const Tensors& expected) {
  for (const auto& [name, bytes] : expected) {
    const auto tensor = found.find(name);
    if (tensor == found.end()) return name + " is missing";
    if (tensor->second == bytes) continue;
    const auto [a, b] = std::ranges::mismatch(tensor->second, bytes);
    return name + " differs at byte " + std::to_string(a - tensor->second.begin()) +
           " of its type, shape and data";
  }
  for (const auto& [name, bytes] : found) {
    if (!expected.contains(name)) return name + " is not expected";
  }
  return "";
}

class Convert : public testing::Test {
 protected:
  CheckpointResult<ConvertReport> convert(const std::filesystem::path& in,
                                          const ConvertOptions& options = {}) {
    return convert_checkpoint(in, out_, options);
  }

  /// Converts a file of the corpus and opens the result.
  ModelFile converted(const std::string& name, const ConvertOptions& options = {}) {
    convert(corpus / name, options).value_or_throw();
    return open_model_file(out_);
  }

  TemporaryDirectory folder_;
  std::filesystem::path out_ = folder_ / "model.safetensors";
};

/// Every file of level "model" has the outcome of the manifest, with its configuration given and detected.
TEST_F(Convert, CorpusHasTheOutcomeOfItsManifest) {
  const json manifest = json::parse(test::read_file(corpus / "manifest.json"));
  std::size_t files = 0;
  for (const json& entry : manifest.at("files")) {
    if (entry.at("level") != "model") continue;
    ++files;
    const std::string file = entry.at("file");
    for (const bool given : {false, true}) {
      SCOPED_TRACE(file + (given ? ", configuration given" : ", configuration detected"));
      ConvertOptions options;
      if (given) {
        options.config =
            parse_config(manifest.at("configs").at(entry.at("config").get<std::string>()).dump());
      }
      const auto result = convert(corpus / file, options);
      if (entry.at("expect") == "ok") {
        ASSERT_TRUE(result) << result.failure().message;
        EXPECT_EQ(folder_.entry_count(), 1);
        std::filesystem::remove(out_);
      } else {
        ASSERT_FALSE(result);  // what the manifest leaves open is refused too, unless asked for
        EXPECT_EQ(name_of(result.failure().kind), entry.at("kind").get<std::string>())
            << result.failure().message;
        EXPECT_NE(result.failure().message.find(file), std::string::npos) << result.failure().message;
        EXPECT_EQ(folder_.entry_count(), 0) << "something half-written was left";
      }
    }
  }
  EXPECT_EQ(files, 18U);
}

TEST_F(Convert, FilesOfTheReaderLevelAreNoModels) {
  const json manifest = json::parse(test::read_file(corpus / "manifest.json"));
  for (const json& entry : manifest.at("files")) {
    if (entry.at("level") == "model") continue;
    const auto result = convert(corpus / entry.at("file").get<std::string>());
    ASSERT_FALSE(result) << entry.at("file");
    EXPECT_EQ(folder_.entry_count(), 0);
  }
}

TEST_F(Convert, KeepsEveryElement) {
  const json manifest = json::parse(test::read_file(corpus / "manifest.json"));
  const ModelFile model = converted("tpn-mmaction2.pth");
  for (const json& entry : manifest.at("files")) {
    if (entry.at("file") != "tpn-mmaction2.pth") continue;
    const json& listed = entry.at("tensors");
    EXPECT_EQ(model.tensors.entries().size(), listed.size());
    for (const json& tensor : listed) {
      const auto* found = model.tensors.find(tensor[0].get<std::string>());
      ASSERT_NE(found, nullptr) << tensor[0];
      const ConstTensorView view = model.tensors.view(*found);
      EXPECT_EQ(crc32_of({view.data, view.bytes()}), tensor[3].get<std::uint32_t>()) << tensor[0];
      EXPECT_EQ(json(found->shape.extents()), tensor[2]);
    }
  }
}

TEST_F(Convert, EveryNamingGivesTheSameModel) {
  const auto expected = tensors_of(converted("tpn-mmaction2.pth"));
  for (const char* name : {"tpn-decisionforce.pth", "tpn-module-prefix.pth", "tpn-new-cls.pth"}) {
    EXPECT_EQ(first_difference(tensors_of(converted(name)), expected), "") << name;
  }
  const ModelFile tsm = converted("tpn-tsm-mmaction2.pth");
  const auto tsm_tensors = tensors_of(tsm);
  EXPECT_EQ(tsm.config.backbone.tsm_position, TsmPosition::residual);
  const ModelFile original = converted("tpn-tsm-decisionforce.pth");
  EXPECT_EQ(first_difference(tensors_of(original), tsm_tensors), "");
  EXPECT_EQ(original.config.backbone.tsm_position, TsmPosition::inplace);
}

TEST_F(Convert, WidensAndNarrows) {
  const ModelFile wide = converted("tpn-fp16.pth");
  const std::string name = "backbone.layer3.0.conv2.conv.weight";
  EXPECT_EQ(wide.tensors.find(name)->dtype, DType::f32);
  EXPECT_EQ(wide.tensors.find("backbone.conv1.bn.num_batches_tracked")->dtype, DType::i64);
  const std::vector<float> widened = to_floats(wide.tensors.view(*wide.tensors.find(name)));

  ConvertOptions options;
  options.dtype = DType::f16;
  const ModelFile narrow = converted("tpn-mmaction2.pth", options);
  EXPECT_EQ(narrow.tensors.find(name)->dtype, DType::f16);
  EXPECT_EQ(to_floats(narrow.tensors.view(*narrow.tensors.find(name))), widened);
  options.dtype = DType::bf16;
  EXPECT_EQ(converted("tpn-mmaction2.pth", options).tensors.find(name)->dtype, DType::bf16);
}

TEST_F(Convert, RefusesWhatIsTooLargeForTheType) {
  const auto convert_with = [&](float value, DType dtype) {
    convert(corpus / "tpn-mmaction2.pth").value_or_throw();
    const std::size_t offset = open_model_file(out_).tensors.find("cls_head.fc_cls.weight")->offset;
    {
      std::fstream file(out_, std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(static_cast<std::streamoff>(offset));
      file.write(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    export_pth(out_, folder_ / "large.pth");
    ConvertOptions options;
    options.dtype = dtype;
    const auto result = convert(folder_ / "large.pth", options);
    return result ? "ok" : std::string(name_of(result.failure().kind));
  };
  EXPECT_EQ(convert_with(65519.0F, DType::f16), "ok");
  EXPECT_EQ(convert_with(65520.0F, DType::f16), "nonfinite") << "it would become infinite";
  EXPECT_EQ(convert_with(-1e6F, DType::f16), "nonfinite");
  EXPECT_EQ(convert_with(-1e6F, DType::bf16), "ok");
  EXPECT_EQ(convert_with(3.4e38F, DType::f32), "ok");
  EXPECT_EQ(convert_with(3.4e38F, DType::bf16), "nonfinite");
}

TEST_F(Convert, ReportsWhatItDropsAndFills) {
  const auto dropped = convert(corpus / "tpn-new-cls.pth").value_or_throw();
  EXPECT_EQ(dropped.dropped, (std::vector<std::string>{"cls_head.new_cls.weight", "cls_head.new_cls.bias"}));
  const auto filled = convert(corpus / "tpn-missing-batches-tracked.pth").value_or_throw();
  EXPECT_EQ(filled.zeroed_batches, 62U);
  EXPECT_TRUE(filled.initialized.empty());
  const auto prefixed = convert(corpus / "tpn-module-prefix.pth").value_or_throw();
  EXPECT_EQ(prefixed.prefixes, std::vector<std::string>{"module."});
  EXPECT_EQ(prefixed.renamed, 379U);
  const std::string text = describe_conversion(prefixed, "in.pth", "out.safetensors");
  EXPECT_NE(text.find("379 tensors, prefix 'module.'"), std::string::npos) << text;
}

TEST_F(Convert, InitialisesWhatIsMissingOnlyWhenAsked) {
  ConvertOptions options;
  options.config = test::tiny_config("tpn-slowonly-r50-8x8", 2, 7);
  options.init_missing = true;
  const auto report = convert(corpus / "tpn-backbone-only.pth", options).value_or_throw();
  EXPECT_EQ(report.loaded, 318U);
  EXPECT_EQ(report.initialized.size(), 52U);
  const ModelFile model = open_model_file(out_);
  const auto whole = tensors_of(model);
  ConvertOptions given;
  given.config = options.config;
  const ModelFile reference = converted("tpn-mmaction2.pth", given);
  for (const auto& [name, bytes] : tensors_of(reference)) {
    if (name.starts_with("backbone.")) {
      EXPECT_TRUE(whole.at(name) == bytes) << name;
    } else if (name.ends_with("conv.weight") || name.ends_with("fc_cls.weight")) {
      EXPECT_FALSE(whole.at(name) == bytes) << name;
    }
  }
  const auto bias = to_floats(reference.tensors.view(*reference.tensors.find("cls_head.fc_cls.bias")));
  EXPECT_EQ(bias.size(), 7U);
}

TEST_F(Convert, InitialisesInTheTypeOfTheFile) {
  ConvertOptions options;
  options.config = test::tiny_config("tpn-slowonly-r50-8x8", 2, 7);
  options.init_missing = true;
  const auto weights = [&](DType dtype) {
    options.dtype = dtype;
    const ModelFile model = converted("tpn-backbone-only.pth", options);
    const auto* const entry = model.tensors.find("cls_head.fc_cls.weight");
    EXPECT_EQ(entry->dtype, dtype);
    return to_floats(model.tensors.view(*entry));
  };
  const std::vector<float> expected = weights(DType::f32), f16 = weights(DType::f16),
                           bf16 = weights(DType::bf16);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(f16[i], static_cast<float>(F16(expected[i])));
    ASSERT_EQ(bf16[i], static_cast<float>(Bf16(expected[i])));
  }
}

TEST_F(Convert, InflatesImageNetworks) {
  ConvertOptions options;
  options.config = test::tiny_config("tpn-slowonly-r50-8x8", 2, 7);
  options.init_missing = true;
  const ModelFile clip = converted("tpn-torchvision2d.pth", options);
  // The file has the backbone weights of tpn-tsm-mmaction2.pth.
  const auto floats = [](const ModelFile& model, const std::string& name) {
    return to_floats(model.tensors.view(*model.tensors.find(name)));
  };
  const auto inflated = floats(clip, "backbone.layer4.1.conv1.conv.weight");
  const auto plain = floats(clip, "backbone.layer2.1.conv2.conv.weight");
  const ModelFile image = converted("tpn-tsm-mmaction2.pth");
  EXPECT_EQ(plain, floats(image, "backbone.layer2.1.conv2.conv.weight"));
  const auto flat = floats(image, "backbone.layer4.1.conv1.conv.net.weight");
  ASSERT_EQ(inflated.size(), 3 * flat.size());
  for (std::size_t i = 0; i < inflated.size(); ++i) ASSERT_EQ(inflated[i], flat[i / 3] / 3) << i;
}

TEST_F(Convert, TheWayBackKeepsEverything) {
  for (const auto& file :
       std::filesystem::directory_iterator(std::filesystem::path(TPN_TEST_DATA) / "goldens")) {
    if (file.path().extension() != ".pth") continue;
    SCOPED_TRACE(file.path().filename());
    ConvertOptions options;
    convert(file.path(), options).value_or_throw();
    const ModelFile first = open_model_file(out_);
    const std::filesystem::path back = folder_ / "back.pth";
    EXPECT_EQ(export_pth(out_, back).tensors, first.tensors.entries().size());
    convert_checkpoint(back, folder_ / "second", options).value_or_throw();
    const ModelFile second = open_model_file(folder_ / "second");
    EXPECT_EQ(second.config, first.config);
    EXPECT_EQ(second.labels, first.labels);
    EXPECT_EQ(first_difference(tensors_of(second), tensors_of(first)), "");
    EXPECT_EQ(export_pth(folder_ / "second", folder_ / "back2.pth").tensors, first.tensors.entries().size());
    EXPECT_EQ(sha256_hex(back), sha256_hex(folder_ / "back2.pth")) << "the checkpoints differ";
  }
}

TEST_F(Convert, TheWayBackKeepsLabelsAndTypes) {
  ConvertOptions options;
  options.dtype = DType::bf16;
  options.labels = {"a", "b", "c", "d", "e", "f", "\xc3\xa4"};
  convert(corpus / "tpn-mmaction2.pth", options).value_or_throw();
  const auto expected = tensors_of(open_model_file(out_));
  export_pth(out_, folder_ / "back.pth");
  ConvertOptions keep;
  keep.dtype = DType::bf16;
  const auto report = convert(folder_ / "back.pth", keep).value_or_throw();
  EXPECT_EQ(report.labels, *options.labels);
  EXPECT_EQ(report.labels_from, "stored in the checkpoint");
  EXPECT_EQ(first_difference(tensors_of(open_model_file(out_)), expected), "");
  keep.labels = {"1", "2", "3", "4", "5", "6", "7"};
  EXPECT_EQ(convert(folder_ / "back.pth", keep).value_or_throw().labels, *keep.labels) << "given ones count";
}

TEST_F(Convert, DetectsEveryTopologyFromShapes) {
  for (const char* name : {"tpn-slowonly-r50-8x8", "tpn-slowonly-r101-8x8", "tpn-slowonly-r50-8x8-3level",
                           "tpn-tsm-r50-1x1x8"}) {
    Config config = test::tiny_config(name);
    test::write_checkpoint(config, folder_ / "in.pth");
    config.name = std::string(name) + "-custom";
    EXPECT_EQ(convert(folder_ / "in.pth").value_or_throw().config, config) << name;
  }
}

TEST_F(Convert, TakesWhatShapesDoNotShowFromTheConfigurationText) {
  Config config = test::tiny_config("tpn-slowonly-r50-16x4");
  test::write_checkpoint(config, folder_ / "in.pth", {.cfg = test::slowonly_cfg(16, 4)});
  config.name = "tpn-slowonly-r50-8x8-custom";
  config.head.dropout_ratio = 0.25;
  EXPECT_EQ(convert(folder_ / "in.pth").value_or_throw().config, config);
}

TEST_F(Convert, AnImpossibleConfigurationTextIsNotUsed) {
  Config config = test::tiny_config("tpn-slowonly-r50-8x8");
  test::write_checkpoint(config, folder_ / "in.pth", {.cfg = test::slowonly_cfg(8, 1'000'000)});
  const auto report = convert(folder_ / "in.pth").value_or_throw();
  config.name = "tpn-slowonly-r50-8x8-custom";
  EXPECT_EQ(report.config, config);
  EXPECT_NE(report.notes.at(0).find("frame_interval"), std::string::npos) << report.notes.at(0);
}

TEST_F(Convert, ChoosesLabels) {
  const auto labels_of = [&](const Config& config, const ConvertOptions& options = {}) {
    test::write_checkpoint(config, folder_ / "in.pth");
    return convert(folder_ / "in.pth", options).value_or_throw().labels;
  };
  EXPECT_EQ(labels_of(test::tiny_config("tpn-slowonly-r50-8x8", 2, 400)), builtin_labels("kinetics400"));
  EXPECT_EQ(labels_of(test::tiny_config("tpn-tsm-r50-1x1x8", 2, 174)),
            builtin_labels("something_something_v1"));
  EXPECT_TRUE(labels_of(test::tiny_config("tpn-slowonly-r50-8x8", 2, 174)).empty());
  EXPECT_EQ(open_model_file(out_).labels, std::vector<std::string>());
  ConvertOptions options;
  options.labels = {"yes", "no"};
  EXPECT_EQ(labels_of(test::tiny_config("tpn-slowonly-r50-8x8", 2, 2), options), *options.labels);
  EXPECT_THROW(labels_of(test::tiny_config("tpn-slowonly-r50-8x8", 2, 3), options), OptionError);
}

TEST_F(Convert, VerifiesTheDigestInTheName) {
  const std::string bytes = test::read_file(corpus / "tpn-mmaction2.pth");
  const std::string digest = sha256_hex(corpus / "tpn-mmaction2.pth");
  EXPECT_TRUE(
      convert(folder_.write("tpn-" + digest.substr(0, 8) + ".pth", bytes)).value_or_throw().digest_verified);
  std::filesystem::remove(out_);
  const auto refused = convert(folder_.write("tpn_20220913-97d0835d.pth", bytes));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().kind, CheckpointError::bad_crc);
  EXPECT_FALSE(std::filesystem::exists(out_));
  EXPECT_FALSE(convert(corpus / "tpn-mmaction2.pth").value_or_throw().digest_verified);
}

TEST_F(Convert, RecordsTheSource) {
  const ModelFile model = converted("tpn-decisionforce.pth");
  const json source = json::parse(model.source);
  EXPECT_EQ(source.at("file"), "tpn-decisionforce.pth");
  EXPECT_EQ(source.at("sha256"), sha256_hex(corpus / "tpn-decisionforce.pth"));
  EXPECT_EQ(source.at("renamed"), 377);
}

}  // namespace
}  // namespace tpn
