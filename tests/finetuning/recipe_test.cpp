#include "engine/finetuning/recipe.h"

#include <gtest/gtest.h>

#include "kernels/error.h"

namespace tpn {
namespace {

TEST(Recipe, IsReadBackAsItWasWritten) {
  Recipe recipe{.model = "a \"b\".safetensors", .train = "t.txt", .milestones = {3, 7}};
  recipe.lr = 0.1 + 0.2;
  recipe.freeze = Freeze::layer2;
  recipe.schedule = Schedule::multistep;
  recipe.class_weights = "1,2.5";
  recipe.flip = "0:1";
  recipe.deterministic = true;
  recipe.precision = Precision::bf16;
  recipe.shuffle = false;
  recipe.seed = 123456789;
  recipe.devices = {1, 0};
  recipe.sync_bn = true;
  EXPECT_EQ(parse_recipe(to_json(recipe), "r.json"), recipe);
  EXPECT_EQ(parse_recipe("{}", "r.json", recipe), recipe);
  EXPECT_EQ(parse_recipe(R"({"epochs": 3})", "r.json", recipe).epochs, 3);
}

void expect_refused(const std::string& json, const std::string& because) {
  try {
    (void)parse_recipe(json, "r.json");
    ADD_FAILURE() << json << " was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("r.json"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(because), std::string::npos) << error.what();
  }
}

TEST(Recipe, RefusesWhatItDoesNotKnow) {
  expect_refused(R"({"epoch": 3})", "'epoch'");
  expect_refused(R"({"freeze": "head"})", "freeze must be one of auto, none, stem");
  expect_refused(R"({"epochs": -1})", "epochs must lie between");
  expect_refused(R"({"epochs": 2.5})", "whole number");
  expect_refused(R"({"lr": "fast"})", "lr");
  expect_refused(R"({"lr": -0.5})", "lr must lie between 0.0 and 1000.0, or be -1 for automatic");
  expect_refused(R"({"crop_area": 0})", "crop_area must lie between 0.001 and 1.0");
  expect_refused(R"({"milestones": [1, -2]})", "milestones must lie between");
  expect_refused("[]", "object");
  expect_refused("{", "");
}

constexpr std::int64_t small = 4'000'000, large = 80'000'000;  // parameters

TEST(Recipe, ChoosesByTheNumberOfClips) {
  const auto frozen = [](std::int64_t clips, std::int64_t parameters) {
    return resolved({}, clips, parameters).freeze;
  };
  EXPECT_EQ(frozen(999, large), Freeze::neck);
  EXPECT_EQ(frozen(1000, large), Freeze::layer3);
  EXPECT_EQ(frozen(10000, large), Freeze::none);
  EXPECT_EQ(frozen(10, small), Freeze::none);
  EXPECT_EQ(resolved({.init = start::scratch}, 10, large).freeze, Freeze::none);

  const Recipe few = resolved({}, 10, large), many = resolved({.batch = 16}, 20000, large);
  EXPECT_EQ(few.augment, Augment::light);
  EXPECT_TRUE(learns_classifier_only(few));
  EXPECT_EQ(many.augment, Augment::reference);
  EXPECT_FALSE(learns_classifier_only(many));
  EXPECT_DOUBLE_EQ(few.lr, 0.01);
  EXPECT_DOUBLE_EQ(many.lr, 0.005);
  EXPECT_DOUBLE_EQ(resolved({.batch = 16}, 10, small).lr, 0.06);
}

TEST(Recipe, CropsLessOfTheSmallFramesOfSmallNetworks) {
  EXPECT_EQ(resolved({}, 10, small).crop_area, 0.4);
  EXPECT_EQ(resolved({}, 20000, large).crop_area, automatic_number);
  EXPECT_EQ(resolved({.crop_area = 0.2}, 10, small).crop_area, 0.2);
  EXPECT_EQ(resolved({.augment = Augment::reference}, 10, small).crop_area, automatic_number);
  EXPECT_EQ(resolved({.freeze = Freeze::neck}, 10, small).crop_area, automatic_number);
}

TEST(Recipe, ChoosesEpochsByTheUpdatesThatTheyTake) {
  const auto epochs = [](std::int64_t clips, std::int64_t parameters = large) {
    return resolved({}, clips, parameters).epochs;
  };
  EXPECT_EQ(epochs(60, small), 250);
  EXPECT_EQ(epochs(80, small), 200);
  EXPECT_EQ(epochs(20000, small), 20);
  EXPECT_EQ(epochs(10), 150);
  EXPECT_EQ(epochs(80), 100);
  EXPECT_EQ(epochs(100), 77);  // of 13 updates
  EXPECT_EQ(epochs(20000), 20);
  EXPECT_EQ(resolved({}, 80, large).val_every, 5);
  EXPECT_EQ(resolved({.epochs = 3}, 80, large).epochs, 3);
  EXPECT_EQ(resolved({.epochs = 3}, 80, large).val_every, 1);
}

TEST(Recipe, ScalesTheLearningRateByTheClipsOfAnUpdate) {
  const Recipe recipe{.batch = 4, .accumulate = 3, .ranks = 2};
  EXPECT_EQ(update_clips(recipe), 24);
  EXPECT_EQ(update_clips({.batch = 4}), 4);
  EXPECT_DOUBLE_EQ(resolved(recipe, 20000, large).lr, 0.0075);
  Recipe scaled = recipe;
  scaled.lr = 0.08;
  scaled.auto_scale_lr = true;
  EXPECT_DOUBLE_EQ(resolved(scaled, 20000, large).lr, 0.03);
}

TEST(Recipe, KeepsWhatWasChosen) {
  Recipe given{.epochs = 12, .batch = 16, .lr = 0.01, .auto_scale_lr = true, .schedule = Schedule::multistep};
  given.freeze = Freeze::stem;
  const Recipe once = resolved(given, 10, large);
  EXPECT_EQ(once.freeze, Freeze::stem);
  EXPECT_DOUBLE_EQ(once.lr, 0.0025);
  EXPECT_EQ(once.milestones, (std::vector<int>{6, 10}));
  EXPECT_EQ(resolved(once, 100000, small), once);
}

TEST(Recipe, FreezesFromTheBeginningOn) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(frozen_modules(Freeze::none), Names{});
  EXPECT_EQ(frozen_modules(Freeze::stem), Names{"backbone.conv1"});
  EXPECT_EQ(frozen_modules(Freeze::layer2), (Names{"backbone.conv1", "backbone.layer1", "backbone.layer2"}));
  EXPECT_EQ(frozen_modules(Freeze::backbone), Names{"backbone"});
  EXPECT_EQ(frozen_modules(Freeze::neck), (Names{"backbone", "neck"}));
  EXPECT_THROW((void)frozen_modules(Freeze::automatic), Error);
}

}  // namespace
}  // namespace tpn
