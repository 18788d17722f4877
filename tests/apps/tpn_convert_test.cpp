#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/model/labels.h"
#include "engine/model/model_file.h"
#include "tests/support/devices.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"
#include "weights_converter/sha256.h"

namespace tpn {
namespace {

using test::ProgramResult;
using test::TemporaryDirectory;

const std::filesystem::path corpus = std::filesystem::path(TPN_TEST_DATA) / "checkpoints";

class TpnConvert : public testing::Test {
 protected:
  static ProgramResult run(const std::vector<std::string>& arguments) {
    return test::run_program(TPN_CONVERT, arguments);
  }

  /// The good checkpoint as a model file.
  ModelFile open_converted() {
    EXPECT_EQ(run({good_, out_}).status, 0);
    return open_model_file(out_);
  }

  /// Fails with that status and one sentence, and leaves nothing behind.
  void expect_failure(int status, const std::vector<std::string>& arguments,
                      const std::string& sentence_part) {
    const auto entries = folder_.entry_count();
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.status, status) << result.error;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(std::count(result.error.begin(), result.error.end(), '\n'), 1) << result.error;
    EXPECT_NE(result.error.find(sentence_part), std::string::npos) << result.error;
    EXPECT_EQ(folder_.entry_count(), entries);
  }

  TemporaryDirectory folder_;
  const std::string good_ = corpus / "tpn-mmaction2.pth";
  const std::string out_ = folder_ / "out.safetensors";
};

TEST_F(TpnConvert, ConvertsThereAndBack) {
  const ProgramResult there = run({good_, out_});
  EXPECT_EQ(there.status, 0) << there.error;
  EXPECT_EQ(there.error, "");
  EXPECT_NE(there.out.find("379 tensors"), std::string::npos) << there.out;
  const std::string back = folder_ / "back.pth";
  EXPECT_EQ(run({"--to-pth", out_, back}).status, 0);
  const std::string again = folder_ / "again.safetensors";
  EXPECT_EQ(run({back, again}).status, 0);
  EXPECT_EQ(open_model_file(again).config, open_model_file(out_).config);
}

TEST_F(TpnConvert, TakesConfigLabelsAndType) {
  const std::string config = folder_.write("config.json", to_json(open_converted().config));
  const std::string labels = folder_.write("labels.txt", "a\nb\nc\nd\ne\nf\ng\n");
  EXPECT_EQ(run({good_, out_, "--config", config, "--labels", labels, "--dtype", "bf16"}).status, 0);
  const ModelFile model = open_model_file(out_);
  EXPECT_EQ(model.labels.size(), 7U);
  EXPECT_EQ(model.tensors.find("cls_head.fc_cls.weight")->dtype, DType::bf16);
}

TEST_F(TpnConvert, InspectsEitherFormat) {
  const ProgramResult checkpoint = run({"--inspect", good_});
  EXPECT_EQ(checkpoint.status, 0);
  EXPECT_NE(checkpoint.out.find("format: PyTorch checkpoint"), std::string::npos);
  EXPECT_EQ(run({good_, out_}).status, 0);
  EXPECT_NE(run({"--inspect", out_}).out.find("format: safetensors"), std::string::npos);
  expect_failure(1, {"--inspect", corpus / "bad-crc-data.pth"}, "bad-crc-data.pth");
  expect_failure(1, {"--inspect", folder_ / "absent"}, "absent");
}

TEST_F(TpnConvert, WritesRandomModels) {
  const std::string config = folder_.write("config.json", to_json(open_converted().config));
  EXPECT_EQ(run({"--random", config, "--seed", "7", out_}).status, 0);
  const std::string digest = sha256_hex(std::filesystem::path(out_));
  EXPECT_EQ(run({"--random", config, "--seed", "7", out_}).status, 0);
  EXPECT_EQ(sha256_hex(std::filesystem::path(out_)), digest);
  EXPECT_EQ(run({"--random", config, "--seed", "8", out_}).status, 0);
  EXPECT_NE(sha256_hex(std::filesystem::path(out_)), digest);
  EXPECT_EQ(run({"--random", config, "--from-scratch", out_}).status, 0);
}

TEST_F(TpnConvert, RefusesInputs) {
  expect_failure(1, {corpus / "bad-code-os-tensor.pth", out_}, "bad-code-os-tensor.pth");
  expect_failure(1, {corpus / "tpn-nan.pth", out_}, "backbone.layer2.1.conv1.conv.weight");
  expect_failure(1, {corpus / "tpn-missing-conv.pth", out_}, "backbone.layer3.0.conv2.conv.weight");
  expect_failure(1, {corpus / "tpn-wrong-shape.pth", out_}, "(32, 64, 1, 3, 3)");
  expect_failure(1, {corpus / "tpn-backbone-only.pth", out_}, "--init-missing");
  expect_failure(1, {folder_ / "absent.pth", out_}, "absent.pth");
  expect_failure(1, {"--to-pth", good_, out_}, "not a safetensors file");
}

TEST_F(TpnConvert, RefusesWrongUsage) {
  expect_failure(2, {}, "IN and OUT");
  expect_failure(2, {good_}, "IN and OUT");
  expect_failure(2, {good_, out_, out_}, "IN and OUT");
  expect_failure(2, {"--nonsense"}, "--nonsense");
  expect_failure(2, {"--inspect", good_, out_}, "--inspect");
  expect_failure(2, {good_, out_, "--dtype", "f8"}, "--dtype");
  expect_failure(2, {good_, out_, "--config", "tpn-slowonly-r34"}, "tpn-slowonly-r34");
  expect_failure(2, {good_, out_, "--labels", "kinetics400"}, "400 labels");
  expect_failure(2, {good_, out_, "--labels", folder_ / "absent.txt"}, "absent.txt");
  expect_failure(2, {good_, good_}, "the input itself");
  expect_failure(2, {good_, corpus / "../checkpoints/tpn-mmaction2.pth"}, "the input itself");
  expect_failure(2, {"--random", "tpn-tsm-r50-1x1x8", "--labels", "kinetics400", out_}, "174 classes");
}

TEST_F(TpnConvert, SaysWhenTheOutputCannotBeWritten) {
  expect_failure(3, {good_, folder_ / "absent/out"}, "absent/out");
  expect_failure(3, {good_, folder_.path()}, "not a regular file");
  const std::string null = test::null_device(folder_);
  if (!null.empty()) expect_failure(3, {good_, null}, "not a regular file");
}

/// Every option that the help names is one that the program knows: without its value, or beside others, it is
/// refused for another reason.
TEST_F(TpnConvert, KnowsTheOptionsOfItsHelp) {
  const ProgramResult help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.error, "");
  std::set<std::string> options;
  for (std::size_t at = 0; (at = help.out.find("--", at)) != std::string::npos;) {
    const std::size_t end = help.out.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    options.insert(help.out.substr(at, end - at));
    at = end;
  }
  for (const char* option : {"--inspect", "--to-pth", "--random", "--labels", "--dtype", "--config"}) {
    EXPECT_TRUE(options.contains(option)) << option;
  }
  for (const std::string& option : options) {
    const std::string error = run({option}).error;
    EXPECT_EQ(error.find("not expected"), std::string::npos) << option << ": " << error;
  }
  EXPECT_NE(run({"--no-such-option"}).error.find("not expected"), std::string::npos);
}

TEST_F(TpnConvert, SaysWhenStandardOutputCannotBeWritten) {
  for (const char* out : {"/dev/full", "closed"}) {
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"--inspect", good_}, {"--help"}, {"--version"}, {good_, out_}}) {
      const ProgramResult r =
          test::run_program(TPN_CONVERT, arguments, test::ProgramSetting{.standard_output = out});
      EXPECT_EQ(r.status, 3) << testing::PrintToString(arguments) << out;
      EXPECT_NE(r.error.find("Standard output cannot be written"), std::string::npos) << r.error;
    }
  }
  EXPECT_EQ(open_model_file(out_).config.head.num_classes, 7);  // what was said of it is lost, it is not
}

TEST_F(TpnConvert, ReplacesOnlyWhatIsMeant) {
  const std::filesystem::path in = folder_ / "in.pth", link = folder_ / "link",
                              old = folder_.write("old", "old");
  std::filesystem::copy_file(good_, in);
  std::filesystem::create_hard_link(in, folder_ / "second_name");
  std::filesystem::create_symlink("old", link);
  expect_failure(2, {in, folder_ / "second_name"}, "the input itself");
  const std::string config = folder_.write("config.json", "{}");
  expect_failure(2, {in, config, "--config", config}, "the configuration itself");
  expect_failure(2, {in, config, "--labels", config}, "the list of labels itself");
  expect_failure(1, {corpus / "bad-crc-data.pth", link}, "bad-crc-data.pth");
  EXPECT_EQ(test::read_file(old), "old");
  EXPECT_EQ(run({in, link}).status, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(open_model_file(old).config.head.num_classes, 7);
}

TEST_F(TpnConvert, TellsItsVersion) {
  const ProgramResult version = run({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.out, "tpn_convert " TPN_VERSION "\n");
}

}  // namespace
}  // namespace tpn
