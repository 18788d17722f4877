// The program tpn_finetune, as its users run it.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/model/weights.h"
#include "engine/recognize/tpn.h"
#include "kernels/convert.h"
#include "tests/apps/finetune_files.h"
#include "tests/support/run_program.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::ProgramResult;
using test::read_file;

class FinetuneProgram : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return files_.path(name); }

  [[nodiscard]] ProgramResult run(const std::vector<std::string>& arguments,
                                  const test::ProgramSetting& setting = {}) const {
    test::ProgramSetting own = setting;
    own.environment.push_back("TPN_CACHE_DIR=" + path("cache"));
    return test::run_program(TPN_FINETUNE, arguments, own);
  }
  /// A run in that folder, with two epochs unless the arguments say otherwise.
  [[nodiscard]] ProgramResult train(const std::string& work, const std::vector<std::string>& more = {},
                                    const test::ProgramSetting& setting = {}) const {
    return run(files_.arguments(work, {{"--workers", "2"}, {"--batch", "4"}}, more), setting);
  }
  [[nodiscard]] ProgramResult resume(const std::string& work,
                                     const test::ProgramSetting& setting = {}) const {
    return run({"--resume", path(work)}, setting);
  }

  test::FinetuneFiles files_{4};
};

void expect_refused(const ProgramResult& result, const std::string& because) {
  EXPECT_EQ(result.status, 2) << result.error;
  EXPECT_NE(result.error.find(because), std::string::npos) << result.error;
}

TEST_F(FinetuneProgram, MakesAModelThatIsUsedAtOnce) {
  const ProgramResult r = train("run");
  ASSERT_EQ(r.status, 0) << r.error;
  EXPECT_NE(r.out.find("8 clips to learn from, 4 to judge by, 2 classes"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("epoch 2/2  loss "), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("Best: epoch "), std::string::npos) << r.out;
  EXPECT_NE(r.error.find("from scratch"), 0U);
  for (const char* file : {"model.pth", "report.html", "recipe.json", "log.jsonl", "last.safetensors"}) {
    EXPECT_TRUE(fs::exists(path("run") + "/" + file)) << file;
  }
  EXPECT_NE(read_file(path("run/report.html")).find("What was taken for what"), std::string::npos);

  RecognizerOptions options;
  options.device = Device::cpu;
  options.clips = options.crops = options.threads = 1;
  for (const char* name : {"run/model.safetensors"}) {
    Recognizer recognizer(Model::load(path(name)), options);
    EXPECT_EQ(recognizer.model().labels(), test::moving_classes());
    EXPECT_EQ(recognizer.classify(path("val/down/clip0")).scores.size(), 2U);
  }
}

/// The lines of JSON in a file.
std::vector<json> lines_of(const std::string& file) {
  std::vector<json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

/// What the log says of the last epoch is what tpn_eval finds of its model under the same rules: from
/// features that were computed once, and from videos.
TEST_F(FinetuneProgram, IsJudgedAsTpnEvalJudges) {
  struct Case {
    const char* freeze;
    std::vector<std::string> finetune, eval;
  };
  const std::vector<Case> cases{{"neck", {}, {"--views", "1x1"}},
                                {"3", {}, {"--views", "1x1"}},
                                {"neck", {"--val-protocol", "model"}, {}},
                                {"3", {"--val-protocol", "model", "--val-views", "2x3"}, {"--views", "2x3"}},
                                {"neck", {"--val-protocol", "k400"}, {"--protocol", "k400"}}};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    const std::string work = "run" + std::to_string(i);
    std::vector<std::string> options{"--freeze", c.freeze, "--keep", "1", "--lr", "0.05"};
    options.insert(options.end(), c.finetune.begin(), c.finetune.end());
    const ProgramResult trained = train(work, options);
    ASSERT_EQ(trained.status, 0) << trained.error;
    std::vector<std::string> arguments{"--model",   path(work + "/epoch_0002.safetensors"),
                                       "--list",    path("val"),
                                       "--format",  "json",
                                       "--device",  "cpu",
                                       "--threads", "1",
                                       "--dump",    path(work + ".jsonl")};
    arguments.insert(arguments.end(), c.eval.begin(), c.eval.end());
    const ProgramResult judged = test::run_program(TPN_EVAL, arguments);
    ASSERT_EQ(judged.status, 0) << judged.error;
    const json expected = json::parse(judged.out).at("all"),
               found = lines_of(path(work + "/log.jsonl")).back();
    EXPECT_EQ(found.at("val_top1"), expected.at("top1")) << work;
    EXPECT_EQ(found.at("val_top5"), expected.at("top5")) << work;
    EXPECT_EQ(found.at("val_mean_class"), expected.at("mean_class")) << work;
    double loss = 0;
    std::size_t videos = 0;
    for (const json& line : lines_of(path(work + ".jsonl"))) {
      if (!line.contains("scores")) continue;
      loss -= std::log(line.at("scores").at(line.at("label").get<std::size_t>()).get<double>());
      ++videos;
    }
    ASSERT_EQ(videos, 4U);
    EXPECT_NEAR(found.at("val_loss").get<double>(), loss / 4, 1e-6) << work;  // scores are given in f32
  }
  expect_refused(train("x", {"--val-protocol", "sthv1"}), "Clips cannot be judged by --val-protocol sthv1");
  expect_refused(train("x", {"--val-views", "many"}), "not as 'many'");
  EXPECT_FALSE(fs::exists(path("x/last.safetensors")));
}

TEST_F(FinetuneProgram, IsRepeatedByItsRecipe) {
  ASSERT_EQ(train("first", {"--freeze", "3", "--augment", "light", "--seed", "9", "--label-smoothing", "0.1"})
                .status,
            0);
  const ProgramResult r = run({"--recipe", path("first/recipe.json"), "--work-dir", path("second")});
  ASSERT_EQ(r.status, 0) << r.error;
  EXPECT_EQ(read_file(path("first/recipe.json")), read_file(path("second/recipe.json")));
  EXPECT_TRUE(read_file(path("first/model.safetensors")) == read_file(path("second/model.safetensors")));
  ASSERT_EQ(run({"--recipe", path("first/recipe.json"), "--seed", "10", "--work-dir", path("third")}).status,
            0);
  EXPECT_FALSE(read_file(path("first/model.safetensors")) == read_file(path("third/model.safetensors")));
}

TEST_F(FinetuneProgram, GivesTheSameWithAnyNumberOfThreadsWhereThatIsAsked) {
  for (const std::string freeze : {"none", "neck"}) {
    const auto model = [&](const std::string& threads) {
      const std::string work = freeze + threads;
      const ProgramResult r = train(work, {"--freeze", freeze, "--deterministic", "--threads", threads,
                                           "--ema", "0.9", "--feature-cache", path("features" + threads)});
      EXPECT_EQ(r.status, 0) << r.error;
      return read_file(path(work + "/model.safetensors"));
    };
    EXPECT_TRUE(model("1") == model("2")) << freeze;
  }
}

TEST_F(FinetuneProgram, TakesWeightsOfClasses) {
  const std::string file = files_.write("weights.txt", "1\n2.5\n");
  ASSERT_EQ(train("run", {"--class-weights", file}).status, 0);
  EXPECT_NE(read_file(path("run/recipe.json")).find("\"class_weights\": \"1,2.5\""), std::string::npos);
  expect_refused(train("x", {"--class-weights", "1,2,3"}), "There are 3 weights of classes, and 2 classes.");
}

TEST_F(FinetuneProgram, MirrorsClipsAsItIsTold) {
  expect_refused(train("x", {"--flip", "0:2"}), "--flip names class 2, and there are 2 classes");
  for (const std::string freeze : {"none", "neck"}) {
    const auto model = [&](const std::string& work, const std::string& flip, const std::string& cache) {
      const ProgramResult r = train(work, {"--freeze", freeze, "--augment", "light", "--flip", flip,
                                           "--deterministic", "--feature-cache", path(cache)});
      EXPECT_EQ(r.status, 0) << r.error;
      return read_file(path(work + "/model.safetensors"));
    };
    const std::string kept = model(freeze + "keep", "keep", "features");
    const std::string straight = model(freeze + "off", "off", "features");
    EXPECT_TRUE(straight == model(freeze + "again", "off", "others")) << "whatever features are known";
    EXPECT_FALSE(kept == straight);
    EXPECT_FALSE(kept == model(freeze + "pair", "0:1", "features"));
  }
}

TEST_F(FinetuneProgram, BeginsWithTheWeightsOfAnotherFile) {
  ASSERT_EQ(train("first", {"--freeze", "none"}).status, 0);
  const std::string learned = path("first/model.safetensors");
  const ProgramResult dry = train("x", {"--init", learned, "--dry-run"});
  ASSERT_EQ(dry.status, 0) << dry.error;
  EXPECT_NE(dry.out.find("parameters begin as in " + learned + ", the others as in "), std::string::npos)
      << dry.out;
  ASSERT_EQ(train("second", {"--init", learned, "--lr", "0"}).status, 0);
  ASSERT_EQ(train("third", {"--lr", "0"}).status, 0);
  const auto filter = [&](const std::string& work) {
    const auto weights = Weights::load(path(work + "/model.safetensors"));
    return to_floats(weights->tensors().view(*weights->tensors().find("backbone.conv1.conv.weight")));
  };
  EXPECT_EQ(filter("second"), filter("first"));
  EXPECT_NE(filter("third"), filter("first"));
}

/// Wherever a run is killed, it goes on and ends with the same bits. As often as the environment says; runs
/// that are done meanwhile are followed by others.
TEST_F(FinetuneProgram, SurvivesBeingKilledAtAnyInstant) {
  const char* const asked = std::getenv("TPN_TEST_KILLS");
  const int wanted = asked == nullptr ? 12 : std::stoi(asked);
  const std::vector<std::string> options{"--freeze", "none", "--epochs", "4", "--ema", "0.9"};
  ASSERT_EQ(train("whole", options).status, 0);
  std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same every time
  int kills = 0;
  for (int round = 0; kills < wanted; ++round) {
    const std::string work = "killed" + std::to_string(round);
    for (bool finished = false; !finished;) {
      const auto kill = [&](pid_t program) {
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 700));
        ::kill(program, SIGKILL);
      };
      test::ProgramSetting setting;
      if (kills < wanted) setting.meanwhile = kill;
      const bool begun = fs::exists(path(work + "/last.safetensors"));
      const ProgramResult r = begun ? resume(work, setting) : train(work, options, setting);
      finished = r.status == 0;
      ASSERT_TRUE(finished || (r.status == -1 && kills < wanted)) << r.error;
      kills += finished ? 0 : 1;
    }
    EXPECT_TRUE(read_file(path("whole/model.safetensors")) == read_file(path(work + "/model.safetensors")));
    for (const auto& entry : fs::directory_iterator(path(work))) {
      EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
    }
  }
}

TEST_F(FinetuneProgram, SavesAndEndsWhenASignalAsksForIt) {
  ASSERT_EQ(train("whole", {"--freeze", "none", "--epochs", "5"}).status, 0);
  for (const auto& [signal, status] : {std::pair(SIGINT, 130), std::pair(SIGTERM, 143)}) {
    const std::string work = "run" + std::to_string(signal);
    const auto interrupt = [&, number = signal](pid_t program) {
      files_.await_step(work);
      ::kill(program, number);
    };
    const ProgramResult r = train(work, {"--freeze", "none", "--epochs", "5"}, {.meanwhile = interrupt});
    EXPECT_EQ(r.status, status) << r.error;
    EXPECT_NE(r.error.find("the run is saved after step "), std::string::npos) << r.error;
    EXPECT_NE(r.error.find("--resume " + path(work)), std::string::npos) << r.error;
    ASSERT_EQ(resume(work).status, 0);
    EXPECT_TRUE(read_file(path("whole/model.safetensors")) == read_file(path(work + "/model.safetensors")));
  }
}

TEST_F(FinetuneProgram, SaysWhatIsWrongBeforeItBegins) {
  expect_refused(run({"--work-dir", path("x")}), "--model is missing");
  expect_refused(run({"--model", path("model.safetensors"), "--train", path("train")}), "--work-dir");
  expect_refused(train("x", {"--epochs", "-1"}), "--epochs");
  expect_refused(train("x", {"--freeze", "head"}), "--freeze");
  expect_refused(train("x", {"--device", "tpu"}), "There is no device 'tpu'");
  expect_refused(resume("x"), "There is no folder ");
  fs::create_directory(path("empty"));
  expect_refused(resume("empty"), "has no run that could go on");
  expect_refused(run({"--resume"}), "--work-dir is missing");
  expect_refused(run({"--resume", path("x"), "--work-dir", path("y")}), "leave out --work-dir");
  expect_refused(run({"--resume", "--work-dir", path("x"), "--epochs", "9"}), "leave out --epochs");
  expect_refused(train("x", {"--init", path("none.pth")}), "none.pth");
  EXPECT_FALSE(fs::exists(path("x")));
  const std::string list =
      files_.write("list.txt", path("train/down/clip0") + " 0\n" + path("missing.mp4") + " 1\n");
  const ProgramResult missing = train("x", {"--train", list});
  expect_refused(missing, "list.txt:2");
  EXPECT_FALSE(fs::exists(path("x/last.safetensors")));

  ASSERT_EQ(train("run").status, 0);
  expect_refused(train("run"), "already has a run: go on with it by --resume");
}

TEST_F(FinetuneProgram, GoesOnWithoutBadClipsWhereThatIsWanted) {
  files_.write("train/down/broken.mp4", "this is no video");
  expect_refused(train("run"), "broken.mp4");
  const ProgramResult r = train("run", {"--skip-bad"});
  EXPECT_EQ(r.status, 0) << r.error;
  EXPECT_NE(read_file(path("run/skipped.txt")).find("broken.mp4"), std::string::npos);
  EXPECT_NE(r.out.find("8 clips to learn from"), std::string::npos) << r.out;
}

TEST_F(FinetuneProgram, ShowsWhatItWouldDo) {
  const ProgramResult r = train("run", {"--dry-run", "--schedule", "multistep", "--milestones", "1,7"});
  EXPECT_EQ(r.status, 0) << r.error;
  EXPECT_NE(r.out.find("    4            2  right\n"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("Memory of a step: "), std::string::npos) << r.out;
  EXPECT_NE(r.error.find("The milestone 7 is never reached"), std::string::npos) << r.error;
  EXPECT_NE(r.error.find("The class"), 0U);
  EXPECT_FALSE(fs::exists(path("run")));
}

}  // namespace
}  // namespace tpn
