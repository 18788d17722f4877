// One model in the many forms that training programs save it in.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/model/labels.h"
#include "engine/model/model_file.h"
#include "engine/networks/initialize.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"
#include "tests/weights_converter/synthetic_checkpoint.h"
#include "weights_converter/convert.h"
#include "weights_converter/names.h"
#include "weights_converter/report.h"

namespace tpn {
namespace {

using test::CheckpointForm;

class ConvertForms : public testing::Test {
 protected:
  CheckpointResult<ConvertReport> convert(const CheckpointForm& form, const ConvertOptions& options = {}) {
    test::write_checkpoint(config_, in_, form);
    return convert_checkpoint(in_, out_, options);
  }

  /// Converts, and expects every parameter of a seed in the model.
  ConvertReport expect_model(const CheckpointForm& form, std::uint64_t seed = test::checkpoint_seed,
                             const ConvertOptions& options = {}) {
    auto report = convert(form, options);
    EXPECT_TRUE(report) << report.failure().message;
    if (!report) return {};
    const ModelFile model = open_model_file(out_);
    for (const ParameterSpec& spec : parameter_specs(config_)) {
      std::string expected;
      initialize_parameter(spec, config_, Initialization::varied, seed,
                           [&](std::span<const std::byte> piece) {
                             expected.append(reinterpret_cast<const char*>(piece.data()), piece.size());
                           });
      const auto* const entry = model.tensors.find(spec.name);
      if (entry == nullptr) {
        ADD_FAILURE() << spec.name << " is missing";
        continue;
      }
      const ConstTensorView view = model.tensors.view(*entry);
      const auto* const bytes = reinterpret_cast<const char*>(view.data);
      EXPECT_TRUE(expected == std::string(bytes, view.bytes())) << spec.name << " differs";
    }
    return *std::move(report);
  }

  static std::string text(const ConvertReport& report) {
    return describe_conversion(report, "in.pth", "out.safetensors");
  }

  test::TemporaryDirectory folder_;
  Config config_ = test::tiny_config("tpn-slowonly-r50-8x8");
  std::filesystem::path in_ = folder_ / "in.pth";
  std::filesystem::path out_ = folder_ / "out.safetensors";
};

TEST_F(ConvertForms, UnderEveryKey) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> places{
      {{}, ""},
      {{"model_state_dict"}, "model_state_dict"},
      {{"model_state"}, "model_state"},
      {{"net"}, "net"},
      {{"network"}, "network"},
      {{"module"}, "module"},
      {{"state_dict_ema"}, "state_dict_ema"},
      {{"somewhere"}, "somewhere"},
      {{"model", "state_dict"}, "model/state_dict"},
      {{"state_dict", "model"}, "state_dict/model"},
      {{"checkpoint", "net"}, "checkpoint/net"}};
  for (const auto& [keys, path] : places) {
    SCOPED_TRACE(path);
    CheckpointForm form;
    form.keys = keys;
    const ConvertReport report = expect_model(form);
    EXPECT_EQ(report.found_under, path);
    EXPECT_TRUE(report.also_under.empty());
    if (!path.empty()) {
      EXPECT_NE(text(report).find("under '" + path + "'"), std::string::npos) << text(report);
    }
  }
}

TEST_F(ConvertForms, AveragedWeightsWhenAskedFor) {
  for (const char* key : {"state_dict_ema", "ema_state_dict", "model_ema"}) {
    SCOPED_TRACE(key);
    CheckpointForm form;
    form.averaged_key = key;
    const ConvertReport plain = expect_model(form);
    EXPECT_EQ(plain.also_under, std::vector<std::string>{key});
    EXPECT_NE(text(plain).find("under 'state_dict'; others are under '" + std::string(key) + "' (--weights"),
              std::string::npos)
        << text(plain);
    EXPECT_TRUE(plain.other_keys.empty());
    ConvertOptions options;
    options.weights = key;
    EXPECT_EQ(expect_model(form, test::averaged_seed, options).found_under, key);
  }
  ConvertOptions options;
  options.weights = "absent";
  try {
    static_cast<void>(convert({.averaged_key = "ema"}, options));
    FAIL();
  } catch (const OptionError& error) {
    EXPECT_NE(std::string(error.what()).find("'absent'; there are in 'state_dict', 'ema'"), std::string::npos)
        << error.what();
  }
}

TEST_F(ConvertForms, AveragedWeightsBelowTwoKeys) {
  // As torch.save({"model": ..., "ema": {"module": ...}}) has them: here the first of them in a file of its
  // own.
  CheckpointForm form;
  form.keys = {"ema", "module"};
  EXPECT_EQ(expect_model(form).found_under, "ema/module");
  ConvertOptions options;
  options.weights = "ema";
  EXPECT_EQ(expect_model(form, test::checkpoint_seed, options).found_under, "ema/module");
}

TEST_F(ConvertForms, WithEveryPrefix) {
  for (const std::string prefix : {"_orig_mod.", "model.", "module.", "module.module.", "module._orig_mod.",
                                   "_orig_mod.module.model.", "net.", "student."}) {
    SCOPED_TRACE(prefix);
    CheckpointForm form;
    form.rename = [&](const std::string& name) { return prefix + name; };
    const ConvertReport report = expect_model(form);
    EXPECT_EQ(report.prefixes, std::vector<std::string>{prefix});
    EXPECT_NE(text(report).find("prefix '" + prefix + "' taken off"), std::string::npos) << text(report);
  }
  CheckpointForm inner;
  inner.rename = [](const std::string& name) {
    return name.starts_with("backbone.") ? "backbone._orig_mod." + name.substr(9) : "module." + name;
  };
  EXPECT_EQ(expect_model(inner).prefixes, (std::vector<std::string>{"_orig_mod.", "module."}));
  CheckpointForm original;
  original.rename = [](const std::string& name) {
    return "module." + name_under(NamingScheme::decisionforce, name);
  };
  EXPECT_EQ(expect_model(original).scheme, NamingScheme::decisionforce);
}

TEST_F(ConvertForms, NamesThatBecomeOneAreRefused) {
  CheckpointForm form;
  form.rename = [](const std::string& name) {
    return name == "cls_head.fc_cls.bias" ? "module.neck.aux_head.fc.bias" : name;
  };
  const auto refused = convert(form);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.failure().message.find("both stand for 'neck.aux_head.fc.bias'"), std::string::npos)
      << refused.failure().message;
}

TEST_F(ConvertForms, KernelsOfImageNetworksThatFit) {
  const auto of_images = [](const ParameterSpec& spec) {
    const Shape& s = spec.shape;
    return s.rank() == 5 ? Shape{s[0], s[1], s[3], s[4]} : s;
  };
  CheckpointForm form;
  form.rename = [](const std::string& name) { return name_under(NamingScheme::torchvision, name); };
  form.left_out = {"neck.", "cls_head."};
  form.reshape = of_images;
  ConvertOptions options;
  options.config = config_;
  options.init_missing = true;
  const auto fits = convert(form, options);
  EXPECT_TRUE(fits) << fits.failure().message;
  form.reshape = [&](const ParameterSpec& spec) {
    return spec.name == "backbone.conv1.conv.weight" ? Shape{4, 3, 3, 3}
                                                     : of_images(spec);  // of small images
  };
  const auto other = convert(form, options);
  ASSERT_FALSE(other);
  EXPECT_EQ(name_of(other.failure().kind), "shape_mismatch") << other.failure().message;
}

TEST_F(ConvertForms, KernelsOfWholeNetworksAsTheyAre) {
  CheckpointForm form;
  form.reshape = [](const ParameterSpec& spec) {
    return spec.name == "backbone.layer1.0.conv1.conv.weight" ? Shape{4, 4, 1, 1} : spec.shape;
  };
  ConvertOptions options;
  options.config = config_;
  const auto result = convert(form, options);
  ASSERT_FALSE(result);
  EXPECT_EQ(name_of(result.failure().kind), "shape_mismatch") << result.failure().message;
  EXPECT_NE(result.failure().message.find("layer1.0.conv1"), std::string::npos) << result.failure().message;
}

TEST_F(ConvertForms, BatchesOfEveryType) {
  for (const DType dtype : {DType::i64, DType::i32, DType::f32, DType::f64}) {
    for (const Shape& shape : {Shape{}, Shape{1}}) {
      SCOPED_TRACE(std::string(name_of(dtype)) + to_string(shape));
      CheckpointForm form;
      form.batches = dtype;
      form.batches_shape = shape;
      expect_model(form);
    }
  }
}

TEST_F(ConvertForms, BatchesThatAreNoNumber) {
  for (const double more : {1e30, -1e30, HUGE_VAL, std::nan("")}) {
    const auto result = convert({.batches = DType::f64, .batches_more = more});
    ASSERT_FALSE(result) << more;
    EXPECT_EQ(name_of(result.failure().kind), "nonfinite") << result.failure().message;
  }
}

TEST_F(ConvertForms, BytesBehindTheArchive) {
  test::write_checkpoint(config_, in_, {});
  const std::string whole = test::read_file(in_);
  for (const std::string& behind : {std::string(100, 'x'), std::string(70'000, '\0'), std::string("\n")}) {
    const auto report =
        convert_checkpoint(folder_.write("in.pth", whole + behind), out_, {}).value_or_throw();
    const std::string count = std::to_string(behind.size()) + (behind.size() == 1 ? " byte " : " bytes ");
    EXPECT_NE(text(report).find("has " + count + "behind the checkpoint"), std::string::npos) << text(report);
  }
  EXPECT_FALSE(convert_checkpoint(folder_.write("in.pth", whole.substr(0, whole.size() - 1)), out_, {}));
}

TEST_F(ConvertForms, NetworksWithoutAPyramidAreCalledSo) {
  for (const bool original : {false, true}) {
    CheckpointForm form;
    form.left_out = {"neck."};
    if (original)
      form.rename = [](const auto& name) { return name_under(NamingScheme::decisionforce, name); };
    for (const bool given : {false, true}) {
      ConvertOptions options;
      if (given) options.config = config_;
      const auto refused = convert(form, options);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.failure().kind, CheckpointError::missing_keys);
      EXPECT_NE(refused.failure().message.find("no pyramid"), std::string::npos) << refused.failure().message;
      options.config = config_;
      options.init_missing = true;
      EXPECT_FALSE(convert(form, options).value_or_throw().initialized.empty());
    }
  }
}

TEST_F(ConvertForms, LabelsByTheSchemeOfNames) {
  const auto choose = [&](const char* config, int classes, bool original, const std::string& cfg = {}) {
    config_ = test::tiny_config(config, 2, classes);
    CheckpointForm form;
    form.cfg = cfg;
    if (original)
      form.rename = [](const auto& name) { return name_under(NamingScheme::decisionforce, name); };
    return convert(form).value_or_throw();
  };
  EXPECT_EQ(choose("tpn-tsm-r50-1x1x8", 174, false).labels, builtin_labels("something_something_v1"));
  EXPECT_EQ(choose("tpn-tsm-r50-1x1x8", 174, false, "data_root = 'data/sthv2/rawframes'\n").labels,
            builtin_labels("something_something_v2"));
  EXPECT_EQ(choose("tpn-tsm-r50-1x1x8", 174, false, "data_root = 'data/sthv1/rawframes'\n").labels,
            builtin_labels("something_something_v1"));
  const ConvertReport original = choose("tpn-tsm-r50-1x1x8", 174, true);
  EXPECT_TRUE(original.labels.empty());
  EXPECT_NE(text(original).find("--labels something_something_v1_sorted"), std::string::npos)
      << text(original);
  EXPECT_EQ(choose("tpn-slowonly-r50-8x8", 400, true).labels, builtin_labels("kinetics400"));
  EXPECT_TRUE(choose("tpn-slowonly-r50-8x8", 174, false).labels.empty());
}

TEST_F(ConvertForms, NoLabelsWhenNoneAreWanted) {
  config_ = test::tiny_config("tpn-slowonly-r50-8x8", 2, 400);
  ConvertOptions options;
  options.labels.emplace();
  EXPECT_TRUE(convert({}, options).value_or_throw().labels.empty());
  EXPECT_TRUE(open_model_file(out_).labels.empty());
}

TEST_F(ConvertForms, AWrongDigestCanBeIgnored) {
  test::write_checkpoint(config_, folder_ / "tpn_20220913-97d0835d.pth", {});
  const auto refused = convert_checkpoint(folder_ / "tpn_20220913-97d0835d.pth", out_, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.failure().message.find("--ignore-digest"), std::string::npos);
  ConvertOptions options;
  options.ignore_digest = true;
  const auto report =
      convert_checkpoint(folder_ / "tpn_20220913-97d0835d.pth", out_, options).value_or_throw();
  EXPECT_FALSE(report.digest_verified);
  EXPECT_NE(text(report).find("does not begin with the digits"), std::string::npos) << text(report);
}

}  // namespace
}  // namespace tpn
