#include "apps/model_argument.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "engine/model/model_file.h"
#include "kernels/error.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"
#include "tests/weights_converter/synthetic_checkpoint.h"

namespace tpn::app {
namespace {

namespace fs = std::filesystem;

class ModelArgumentTest : public testing::Test {
 protected:
  ModelArgumentTest() {
    use_cache(folder_ / "cache");
    ::setenv("TMPDIR", folder_.path().c_str(), 1);
    test::write_checkpoint(test::tiny_config("tpn-slowonly-r50-8x8"), checkpoint_);
  }
  ~ModelArgumentTest() override {
    ::unsetenv("TPN_CACHE_DIR");
    ::unsetenv("TMPDIR");
  }

  static void use_cache(const fs::path& path) { ::setenv("TPN_CACHE_DIR", path.c_str(), 1); }

  /// The model for the checkpoint; what was said is in said_.
  fs::path resolve() {
    said_.clear();
    const ModelArgument model(checkpoint_, [&](const std::string& sentence) { said_.push_back(sentence); });
    static_cast<void>(open_model_file(model.path()));
    return model.path();
  }

  bool was_said(const std::string& part) const {
    return said_.size() == 1 && said_.front().find(part) != std::string::npos &&
           said_.front().starts_with(checkpoint_.string());
  }

  test::TemporaryDirectory folder_;
  fs::path checkpoint_ = folder_ / "tiny.pth";
  std::vector<std::string> said_;
};

TEST_F(ModelArgumentTest, ConvertsOnceAndSaysSo) {
  const fs::path first = resolve();
  EXPECT_TRUE(was_said("converted and kept as " + first.string())) << testing::PrintToString(said_);
  EXPECT_EQ(first.parent_path(), folder_ / "cache/models");
  EXPECT_EQ(resolve(), first);
  EXPECT_TRUE(said_.empty()) << said_.front();
}

TEST_F(ModelArgumentTest, AModelFileIsTakenAsItIs) {
  const fs::path model = resolve();
  std::vector<std::string> said;
  EXPECT_EQ(ModelArgument(model, [&](const std::string& sentence) { said.push_back(sentence); }).path(),
            model);
  EXPECT_TRUE(said.empty());
  EXPECT_EQ(ModelArgument(folder_ / "absent", [](const std::string&) {}).path(), folder_ / "absent");
}

TEST_F(ModelArgumentTest, AChangedCheckpointIsConvertedAgain) {
  const fs::path first = resolve();
  const auto time = fs::last_write_time(checkpoint_);
  const Config other = test::tiny_config("tpn-slowonly-r50-8x8", 2, 7);
  test::write_checkpoint(other, checkpoint_);
  fs::last_write_time(checkpoint_, time);  // as archives and copies leave it
  const fs::path second = resolve();
  EXPECT_NE(second, first);
  EXPECT_EQ(said_.size(), 1U);
  EXPECT_EQ(open_model_file(second).config.head.num_classes, 7);
  EXPECT_FALSE(fs::exists(first)) << "what is out of date stays";
}

TEST_F(ModelArgumentTest, AChangeThatKeepsSizeAndTimeIsNoticed) {
  const Config config = test::tiny_config("tpn-slowonly-r50-8x8");
  const auto interval_of = [&](int interval) {
    test::write_checkpoint(config, checkpoint_, {.cfg = test::slowonly_cfg(8, interval)});
    fs::last_write_time(checkpoint_, fs::file_time_type());
    return open_model_file(resolve()).config.sampling.frame_interval;
  };
  EXPECT_EQ(interval_of(8), 8);
  const auto size = fs::file_size(checkpoint_);
  EXPECT_EQ(interval_of(4), 4);
  EXPECT_EQ(fs::file_size(checkpoint_), size);
}

TEST_F(ModelArgumentTest, CheckpointsOfOneNameDoNotMix) {
  const fs::path first = resolve();
  fs::create_directory(folder_ / "other");
  checkpoint_ = folder_ / "other/tiny.pth";
  test::write_checkpoint(test::tiny_config("tpn-tsm-r50-1x1x8"), checkpoint_);
  const fs::path second = resolve();
  EXPECT_NE(second, first);
  EXPECT_TRUE(fs::exists(first));
  EXPECT_EQ(open_model_file(second).config.backbone.dims, 2);
}

TEST_F(ModelArgumentTest, DamageIsNoticed) {
  const fs::path model = resolve();
  const std::string whole = test::read_file(model);
  const auto write = [&](const std::string& bytes) { std::ofstream(model, std::ios::binary) << bytes; };
  std::string flipped = whole;
  flipped[flipped.size() / 2] ^= 1;
  for (const std::string& bytes : {whole.substr(0, whole.size() / 2), std::string(), flipped, whole + "x",
                                   std::string("<!DOCTYPE html>")}) {
    write(bytes);
    EXPECT_EQ(resolve(), model);
    EXPECT_TRUE(was_said("damaged")) << bytes.size();
    EXPECT_TRUE(test::read_file(model) == whole) << bytes.size();
  }
}

TEST_F(ModelArgumentTest, WithoutACacheTheModelIsTemporary) {
  const auto expect_temporary = [&](const std::string& reason) {
    const fs::path model = resolve();
    EXPECT_TRUE(was_said("for this run only")) << testing::PrintToString(said_);
    EXPECT_TRUE(was_said(reason)) << testing::PrintToString(said_);
    EXPECT_FALSE(fs::exists(model)) << "it stays";
    EXPECT_FALSE(fs::exists(model.parent_path()));
  };
  use_cache(folder_.write("file", "in the way"));
  expect_temporary("cannot be written");
  for (const char* variable : {"TPN_CACHE_DIR", "XDG_CACHE_HOME", "HOME"}) ::unsetenv(variable);
  expect_temporary("TPN_CACHE_DIR names one");
  ::setenv("TMPDIR", (folder_ / "absent").c_str(), 1);
  EXPECT_THROW(resolve(), Error);
}

TEST_F(ModelArgumentTest, RefusedCheckpointsLeaveNothing) {
  const std::string whole = test::read_file(checkpoint_);
  folder_.write("tiny.pth", whole.substr(0, whole.size() / 2));
  try {
    resolve();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("tiny.pth"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(fs::is_empty(folder_ / "cache/models"));
}

TEST_F(ModelArgumentTest, ManyAtOnceGetAWholeModel) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const ModelArgument model(checkpoint_, [](const std::string&) {});
      EXPECT_NO_THROW(static_cast<void>(open_model_file(model.path())));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const fs::directory_iterator models(folder_ / "cache/models");
  EXPECT_EQ(std::distance(begin(models), end(models)), 1);
}

TEST_F(ModelArgumentTest, InferTakesACheckpoint) {
  const auto run = [&] {
    return test::run_program(TPN_INFER, {"--model", checkpoint_, "--views", "1x1", folder_ / "absent.mp4"});
  };
  const auto first = run();
  EXPECT_EQ(first.status, 1) << first.error;
  EXPECT_NE(first.error.find("tiny.pth is a checkpoint: converted and kept"), std::string::npos)
      << first.error;
  EXPECT_EQ(run().error.find("is a checkpoint"), std::string::npos);
  std::ofstream(checkpoint_) << "<html>";
  const auto page = run();
  EXPECT_EQ(page.status, 2);
  EXPECT_NE(page.error.find("tiny.pth is not a safetensors file: it is a web page"), std::string::npos)
      << page.error;
}

}  // namespace
}  // namespace tpn::app
