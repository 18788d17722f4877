#include "engine/finetuning/finetune.h"

#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "engine/finetuning/checkpoint.h"
#include "engine/finetuning/run_log.h"
#include "engine/model/output_target.h"
#include "engine/networks/initialize.h"
#include "kernels/convert.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/finetuning/moving_clips.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A tiny model, ten clips to learn from and four to judge by.
class FinetuneTest : public ::testing::Test {
 protected:
  FinetuneTest() {
    write_random_model(test::moving_clips_config(), Initialization::from_scratch, 3, {},
                       path("model.safetensors"));
    test::write_moving_clips(path("train"), 5);
    test::write_moving_clips(path("val"), 2, 7);
  }

  [[nodiscard]] std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }

  [[nodiscard]] Recipe recipe(Freeze freeze) const {
    Recipe recipe{.model = path("model.safetensors"),
                  .train = path("train"),
                  .val = path("val"),
                  .epochs = 3,
                  .batch = 4};
    recipe.freeze = freeze;
    recipe.seed = 5;
    return recipe;
  }
  [[nodiscard]] FinetuneSetup setup(int threads = 1) const {
    return {.model = path("model.safetensors"),
            .backend = std::make_shared<const CpuBackend>(threads),
            .recognizer = {.device = Device::cpu, .threads = threads},
            .workers = 2,
            .feature_cache = path("cache")};
  }

  /// Begins a run in that folder.
  void begin(const Recipe& recipe, const std::string& name) const {
    const FinetuneData data = checked(recipe);
    const FinetuneSetup setup = this->setup();
    begin_finetune(plan_finetune(recipe, data, setup, false), data, setup, WorkFolder(path(name)));
  }
  static FinetuneData checked(const Recipe& recipe) {
    FinetuneData data = read_data(recipe);
    check_data(data, recipe, 1, {});
    return data;
  }
  /// Goes on with a run until `steps` steps of this call are done.
  FinetuneOutcome go_on(const std::string& name, int steps = std::numeric_limits<int>::max(),
                        std::vector<std::string>* notes = nullptr) const {
    const WorkFolder folder(path(name));
    FinetuneObserver observer;
    int done = 0;
    observer.step = [&](const StepRecord&, std::int64_t) { ++done; };
    observer.stop = [&] { return done >= steps; };
    observer.note = [&](const std::string& note) {
      if (notes != nullptr) notes->push_back(note);
    };
    return finetune(read_data(recipe_of_run(folder)), setup(), folder, observer);
  }

  test::TemporaryDirectory directory_;
};

/// Whether a run that is ended again and again gives the same bits as one that is not.
void expect_same_files(const std::filesystem::path& a, const std::filesystem::path& b) {
  EXPECT_TRUE(content(a / "model.safetensors") == content(b / "model.safetensors"));
  EXPECT_TRUE(content(a / "last.safetensors") == content(b / "last.safetensors"));
  const std::vector<StepRecord> one = read_steps(a / "log.jsonl"), other = read_steps(b / "log.jsonl");
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].step, other[i].step);
    EXPECT_EQ(one[i].loss, other[i].loss);
    EXPECT_EQ(one[i].learning_rate, other[i].learning_rate);
  }
}

TEST_F(FinetuneTest, GoesOnBitForBit) {
  Recipe recipe = this->recipe(Freeze::none);
  recipe.ema = 0.9;
  begin(recipe, "whole");
  begin(recipe, "parts");
  const FinetuneOutcome whole = go_on("whole");
  EXPECT_EQ(whole.end, FinetuneOutcome::End::finished);
  EXPECT_EQ(whole.state.steps, 9);  // 10 clips are steps of 4, 4 and 2
  EXPECT_EQ(whole.state.history.size(), 3U);
  int calls = 0;
  for (bool finished = false; !finished; ++calls) {
    finished = go_on("parts", 2).end != FinetuneOutcome::End::stopped;
  }
  EXPECT_GE(calls, 5);
  expect_same_files(path("whole"), path("parts"));
}

/// What is judged and kept are the averages, with the batch norms' statistics of the last step.
TEST_F(FinetuneTest, KeepsTheAverageOfTheWeights) {
  for (const Freeze freeze : {Freeze::none, Freeze::neck}) {
    Recipe recipe = this->recipe(freeze);
    recipe.ema = 0.9;
    recipe.epochs = 1;
    const std::string name = "run" + std::to_string(static_cast<int>(freeze));
    begin(recipe, name);
    const FinetuneOutcome outcome = go_on(name);
    const auto model = Weights::load(path(name) / "model.safetensors"),
               last = Weights::load(path(name) / "last.safetensors");
    const auto values = [](const Weights& file, const SafetensorsFile::Entry& entry) {
      return to_floats(file.tensors().view(entry));
    };
    std::size_t averaged = 0, apart = 0;
    for (const SafetensorsFile::Entry& entry : model->tensors().entries()) {
      if (!is_floating(entry.dtype)) continue;
      const SafetensorsFile::Entry* average = last->tensors().find("average/" + entry.name);
      const SafetensorsFile::Entry* plain = last->tensors().find(entry.name);
      ASSERT_NE(plain, nullptr) << entry.name;
      EXPECT_EQ(values(*model, entry), values(*last, average != nullptr ? *average : *plain)) << entry.name;
      averaged += average != nullptr ? 1 : 0;
      apart += values(*model, entry) != values(*last, *plain) ? 1 : 0;
    }
    EXPECT_EQ(averaged > 2, freeze == Freeze::none) << "the classifier's weight and bias are two";
    EXPECT_GE(averaged, 2U);
    EXPECT_GE(apart, 2U);
    ASSERT_TRUE(outcome.best);
    const FinetuneOutcome again = go_on(name);  // judges the file
    ASSERT_TRUE(again.best);
    EXPECT_EQ(outcome.best->accuracy, again.best->accuracy);
  }
}

TEST_F(FinetuneTest, GoesOnBitForBitFromFeatures) {
  begin(recipe(Freeze::neck), "whole");
  begin(recipe(Freeze::neck), "parts");
  const FinetuneOutcome whole = go_on("whole");
  while (go_on("parts", 4).end == FinetuneOutcome::End::stopped) {
  }
  expect_same_files(path("whole"), path("parts"));
  // Backbone and neck are the model's.
  const auto before = Weights::load(path("model.safetensors")),
             after = Weights::load(path("whole") / "model.safetensors");
  for (const SafetensorsFile::Entry& entry : before->tensors().entries()) {
    if (entry.name.starts_with("cls_head") || entry.name.find("aux_head.fc") != std::string::npos) continue;
    const SafetensorsFile::Entry* now = after->tensors().find(entry.name);
    ASSERT_NE(now, nullptr) << entry.name;
    if (is_floating(entry.dtype)) {
      EXPECT_EQ(to_floats(after->tensors().view(*now)), to_floats(before->tensors().view(entry)))
          << entry.name;
    }
  }
}

/// A checkpoint that was written at any moment is whole, and a run goes on from it though its log is ahead.
TEST_F(FinetuneTest, GoesOnFromACheckpointThatIsOlderThanItsLog) {
  const Recipe recipe = this->recipe(Freeze::none);
  begin(recipe, "whole");
  begin(recipe, "killed");
  (void)go_on("whole");
  (void)go_on("killed", 2);
  const std::string checkpoint = content(path("killed") / "last.safetensors");
  (void)go_on("killed", 4);
  std::ofstream(path("killed") / "last.safetensors", std::ios::binary) << checkpoint;
  std::ofstream(path("killed") / "log.jsonl", std::ios::app) << "{\"step\": 9, \"cli";  // cut short
  std::ofstream(path("killed") / ".tpn-1-0.tmp") << "left by a killed run";
  (void)go_on("killed");
  expect_same_files(path("whole"), path("killed"));
  EXPECT_FALSE(std::filesystem::exists(path("killed") / ".tpn-1-0.tmp"));
}

TEST_F(FinetuneTest, LearnsWhichWayThingsMove) {
  Recipe recipe = this->recipe(Freeze::none);
  recipe.epochs = 30;
  recipe.lr = 0.02;
  recipe.augment = Augment::none;
  recipe.dropout = 0;
  recipe.init = start::scratch;
  begin(recipe, "run");
  const FinetuneOutcome outcome = go_on("run");
  ASSERT_TRUE(outcome.best);
  const EpochRecord& best = outcome.state.history.at(static_cast<std::size_t>(outcome.state.best_epoch - 1));
  EXPECT_EQ(best.validation.top1, 1) << outcome.state.history.back().loss;
  EXPECT_EQ(best.validation, outcome.best->accuracy);
  const auto model = Weights::load(path("run") / "model.safetensors");
  EXPECT_EQ(model->labels(), test::moving_classes());
  EXPECT_EQ(model->config().head.num_classes, 2);
  EXPECT_EQ(model->tensors().find("momentum/cls_head.fc_cls.weight"), nullptr);
}

TEST_F(FinetuneTest, FindsItsFeaturesAgain) {
  begin(recipe(Freeze::neck), "first");
  (void)go_on("first");
  const auto files = [&] {
    std::vector<std::pair<std::string, std::filesystem::file_time_type>> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path("cache"))) {
      if (entry.is_regular_file()) found.emplace_back(entry.path().string(), entry.last_write_time());
    }
    std::ranges::sort(found);
    return found;
  };
  const auto before = files();
  EXPECT_EQ(before.size(), 14U);
  // One is damaged, and is made anew.
  std::ofstream(before.front().first, std::ios::binary | std::ios::in) << "damage";
  begin(recipe(Freeze::neck), "second");
  (void)go_on("second");
  const auto after = files();
  ASSERT_EQ(after.size(), before.size());
  EXPECT_NE(after.front().second, before.front().second);
  for (std::size_t i = 1; i < after.size(); ++i) EXPECT_EQ(after[i], before[i]);
  EXPECT_TRUE(content(path("first") / "model.safetensors") == content(path("second") / "model.safetensors"));
}

/// Another network's features of the same clips are none of its own.
TEST_F(FinetuneTest, TakesNoFeaturesOfAnotherNetwork) {
  begin(recipe(Freeze::neck), "other");
  (void)go_on("other");
  write_random_model(test::moving_clips_config(), Initialization::from_scratch, 4, {},
                     path("model.safetensors"));
  begin(recipe(Freeze::neck), "with");
  (void)go_on("with");
  std::filesystem::remove_all(path("cache"));
  begin(recipe(Freeze::neck), "without");
  (void)go_on("without");
  expect_same_files(path("with"), path("without"));
}

/// Images that cannot be decoded, of which opening a folder sees nothing.
TEST_F(FinetuneTest, LeavesOutClipsThatTurnOutDamaged) {
  for (const Freeze freeze : {Freeze::none, Freeze::neck}) {
    Recipe recipe = this->recipe(freeze);
    recipe.augment = freeze == Freeze::none ? Augment::reference : Augment::none;
    const std::string name = "run" + std::to_string(static_cast<int>(freeze));
    begin(recipe, name);
    recipe.skip_bad = true;
    begin(recipe, name + "skipping");
    std::vector<std::string> damaged;
    // Of clips to judge by it is used what can be, as tpn_eval does.
    for (const auto& [clip, first] : {std::pair("train/down/clip1", 2), std::pair("val/right/clip0", 1),
                                      std::pair("val/down/clip1", 2)}) {
      for (int t = first; t <= 16; ++t) {
        damaged.push_back(path(clip) / ("img_" + std::to_string(100 + t).substr(1) + ".jpg"));
      }
    }
    std::map<std::string, std::string> before;
    for (const std::string& file : damaged) before[file] = content(file);
    for (const std::string& file : damaged)
      std::ofstream(file, std::ios::binary) << before[file].substr(0, 40);
    EXPECT_THROW((void)go_on(name), Error);
    std::vector<std::string> notes;
    const FinetuneOutcome outcome = go_on(name + "skipping", std::numeric_limits<int>::max(), &notes);
    EXPECT_EQ(outcome.state.history.size(), 3U);
    ASSERT_TRUE(outcome.best);
    EXPECT_EQ(outcome.best->clips.size(), 3U);
    const auto told = [&](const std::string& begin, const std::string& of) {
      return std::ranges::count_if(notes, [&](const std::string& note) {
        return note.starts_with(begin) && note.find(of) != std::string::npos;
      });
    };
    EXPECT_GE(told("left out: ", "train/down/clip1"), 1);
    EXPECT_GE(told("left out: ", "val/right/clip0"), 1);
    EXPECT_EQ(told("warning: ", "val/down/clip1/img_02.jpg"), 1) << "once, not in every epoch";
    for (const auto& [file, bytes] : before) std::ofstream(file, std::ios::binary) << bytes;
  }
}

TEST_F(FinetuneTest, EndsEarly) {
  Recipe recipe = this->recipe(Freeze::neck);
  recipe.epochs = 50;
  recipe.lr = 0;
  recipe.early_stop = 2;
  recipe.val_every = 1;
  begin(recipe, "run");
  const FinetuneOutcome outcome = go_on("run");
  EXPECT_EQ(outcome.end, FinetuneOutcome::End::early);
  EXPECT_EQ(outcome.state.epochs, 3);
  EXPECT_EQ(outcome.state.best_epoch, 1);
  const FinetuneOutcome again = go_on("run");
  EXPECT_EQ(again.state, outcome.state) << "a finished run does nothing more";
  ASSERT_TRUE(outcome.best && again.best);  // its report can be made again
  EXPECT_EQ(again.best->accuracy, outcome.best->accuracy);
  EXPECT_EQ(again.best->confusion, outcome.best->confusion);
}

TEST_F(FinetuneTest, KeepsTheLastModels) {
  Recipe recipe = this->recipe(Freeze::neck);
  recipe.keep = 2;
  begin(recipe, "run");
  (void)go_on("run");
  EXPECT_FALSE(std::filesystem::exists(path("run") / "epoch_0001.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(path("run") / "epoch_0002.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(path("run") / "epoch_0003.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(path("run") / "candidate.safetensors"));
}

TEST_F(FinetuneTest, RefusesOtherDataASecondRunAndASharedFolder) {
  begin(recipe(Freeze::neck), "run");
  EXPECT_THROW(begin(recipe(Freeze::neck), "run"), OptionError);
  {
    const WorkFolder locked(path("run"));
    EXPECT_THROW(const WorkFolder second(path("run")), OutputError);
  }
  test::write_moving_clip(path("train") / "down" / "new", false, 1);
  try {
    (void)go_on("run");
    FAIL();
  } catch (const OptionError& error) {
    EXPECT_NE(std::string(error.what()).find("The data is not that with which the run"), std::string::npos);
  }
  const WorkFolder empty(path("empty"));
  EXPECT_THROW((void)recipe_of_run(empty), OptionError);
}

TEST_F(FinetuneTest, SaysWhatIsNotFiniteAndKeepsTheCheckpoint) {
  Recipe recipe = this->recipe(Freeze::none);
  recipe.lr = 1000;
  recipe.clip_grad = 0;
  recipe.epochs = 100;
  begin(recipe, "run");
  try {
    (void)go_on("run");
    FAIL() << "such a learning rate must end badly";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("is not finite"), std::string::npos) << text;
    EXPECT_NE(text.find("is the first tensor that is not"), std::string::npos) << text;
    EXPECT_NE(text.find("clip"), std::string::npos) << text;
  }
  const WorkFolder folder(path("run"));
  EXPECT_NO_THROW((void)recipe_of_run(folder));
}

TEST_F(FinetuneTest, TellsWhatItWouldDo) {
  const Recipe recipe = this->recipe(Freeze::automatic);
  const FinetunePlan plan = plan_finetune(recipe, checked(recipe), setup(), true);
  EXPECT_EQ(plan.recipe.freeze, Freeze::none) << "the network is small";
  EXPECT_EQ(plan.train_clips, (std::vector<std::int64_t>{5, 5}));
  EXPECT_EQ(plan.validation_clips, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(plan.steps_per_epoch, 3);
  EXPECT_TRUE(plan.classifier.resized);
  EXPECT_GT(plan.step_memory, 0U);
  EXPECT_GT(plan.step_seconds, 0);
  EXPECT_EQ(plan.learned_parameters, plan.parameters);
  const Recipe heads_only = this->recipe(Freeze::neck);
  const std::int64_t channels = Weights::load(path("model.safetensors"))->config().head.in_channels;
  EXPECT_EQ(plan_finetune(heads_only, checked(heads_only), setup(), false).learned_parameters,
            2 * channels + 2);
  EXPECT_FALSE(std::filesystem::exists(path("run")));
}

}  // namespace
}  // namespace tpn
