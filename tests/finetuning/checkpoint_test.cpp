#include "engine/finetuning/checkpoint.h"

#include <gtest/gtest.h>

#include "engine/networks/initialize.h"
#include "kernels/convert.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn {
namespace {

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() {
    write_random_model(config_, Initialization::varied, 3, {"a", "b", "c", "d", "e"}, path("model"));
    model_ = Weights::load(path("model"));
  }

  [[nodiscard]] std::filesystem::path path(const std::string& name) const {
    return directory_.path() / (name + ".safetensors");
  }
  [[nodiscard]] std::shared_ptr<const Weights> first(const ClassifierChange& change,
                                                     const Recipe& recipe = {}) const {
    write_first_checkpoint({model_}, change, {.recipe = recipe}, path("last"));
    return Weights::load(path("last"));
  }
  static std::vector<float> values(const Weights& weights, const std::string& name) {
    const SafetensorsFile::Entry* entry = weights.tensors().find(name);
    return entry == nullptr ? std::vector<float>{} : to_floats(weights.tensors().view(*entry));
  }
  static std::vector<float> row(const Weights& weights, const std::string& name, std::size_t index) {
    const SafetensorsFile::Entry* entry = weights.tensors().find(name);
    const std::vector<float> all = values(weights, name);
    const std::size_t size = all.size() / static_cast<std::size_t>(entry->shape[0]);
    return {all.begin() + static_cast<std::ptrdiff_t>(index * size),
            all.begin() + static_cast<std::ptrdiff_t>((index + 1) * size)};
  }

  test::TemporaryDirectory directory_;
  Config config_ = test::tiny_config("tpn-slowonly-r50-8x8", 2, 5);
  std::shared_ptr<const Weights> model_;
};

const char* const classifier = "cls_head.fc_cls.weight";
const char* const auxiliary = "neck.aux_head.fc.weight";

TEST_F(CheckpointTest, KeepsTheModelForItsOwnClasses) {
  const ClassifierChange change = change_of_classifier({model_}, 4, {});
  EXPECT_FALSE(change.resized);
  const auto checkpoint = first(change);
  EXPECT_EQ(checkpoint->labels(), model_->labels());
  EXPECT_EQ(checkpoint->config(), config_);
  for (const SafetensorsFile::Entry& entry : model_->tensors().entries()) {
    if (is_floating(entry.dtype)) {
      EXPECT_EQ(values(*checkpoint, entry.name), values(*model_, entry.name)) << entry.name;
    }
  }
  EXPECT_FALSE(change_of_classifier({model_}, 5, model_->labels()).resized);
}

TEST_F(CheckpointTest, ResizesBothClassifiersAndKeepsClassesThatAreKnown) {
  const ClassifierChange change = change_of_classifier({model_}, 3, {"x", "d", "a"});
  EXPECT_TRUE(change.resized);
  EXPECT_EQ(change.kept_rows, 2);
  const auto checkpoint = first(change);
  EXPECT_EQ(checkpoint->config().head.num_classes, 3);
  EXPECT_EQ(checkpoint->config().neck.aux_head->out_channels, 3);
  for (const char* name : {classifier, auxiliary, "cls_head.fc_cls.bias", "neck.aux_head.fc.bias"}) {
    EXPECT_EQ(row(*checkpoint, name, 1), row(*model_, name, 3)) << name;
    EXPECT_EQ(row(*checkpoint, name, 2), row(*model_, name, 0)) << name;
    for (std::size_t old = 0; old < 5; ++old)
      EXPECT_NE(row(*checkpoint, name, 0), row(*model_, name, old)) << name;
  }
  EXPECT_EQ(values(*checkpoint, "backbone.conv1.conv.weight"), values(*model_, "backbone.conv1.conv.weight"));
}

TEST_F(CheckpointTest, ResizesForMoreClassesWithoutNames) {
  const ClassifierChange change = change_of_classifier({model_}, 6, {});
  EXPECT_TRUE(change.resized);
  EXPECT_EQ(change.kept_rows, 0);
  EXPECT_TRUE(first(change)->labels().empty());
}

/// The other file has other values, six other classes, and no auxiliary head.
TEST_F(CheckpointTest, TakesWhatFitsFromAnotherFile) {
  Config config = test::tiny_config("tpn-slowonly-r50-8x8", 2, 6);
  config.neck.aux_head.reset();
  write_random_model(config, Initialization::varied, 4, {"u", "c", "w", "x", "y", "z"}, path("other"));
  const InitialWeights initial{model_, Weights::load(path("other"))};
  const auto begun = [&](std::int64_t classes, const std::vector<std::string>& labels) {
    write_first_checkpoint(initial, change_of_classifier(initial, classes, labels), {}, path("last"));
    return Weights::load(path("last"));
  };
  const Weights& other = *initial.preferred;
  const std::string filter = "backbone.layer1.0.conv2.conv.weight";

  const auto same_classes = begun(5, {});
  EXPECT_EQ(values(*same_classes, filter), values(other, filter));
  for (const char* name : {classifier, auxiliary}) {
    EXPECT_EQ(values(*same_classes, name), values(*model_, name)) << name;
  }
  const auto other_classes = begun(2, {"c", "new"});
  EXPECT_EQ(values(*other_classes, filter), values(other, filter));
  EXPECT_EQ(row(*other_classes, classifier, 0), row(other, classifier, 1));
}

TEST_F(CheckpointTest, BeginsFromScratchBySeed) {
  const ClassifierChange change = change_of_classifier({model_}, 5, {});
  const std::string name = "backbone.layer1.0.conv2.conv.weight";
  const auto one = values(*first(change, {.init = start::scratch, .seed = 1}), name);
  EXPECT_NE(one, values(*model_, name));
  EXPECT_EQ(one, values(*first(change, {.init = start::scratch, .seed = 1}), name));
  EXPECT_NE(one, values(*first(change, {.init = start::scratch, .seed = 2}), name));
}

TEST_F(CheckpointTest, KeepsTheStateOfTheRun) {
  RunState state{
      .recipe = {.model = "m", .epochs = 7}, .data_digest = "d", .epochs = 2, .clips = 8, .steps = 19};
  state.loss_scale = 1024;
  state.loss_sum = 0.1 + 0.2;
  state.best_epoch = 1;
  state.history = {{.epoch = 1, .loss = 1.0 / 3, .validated = true, .validation = {.loss = 2, .top1 = 0.25}},
                   {.epoch = 2, .loss = 0.3}};
  write_first_checkpoint({model_}, change_of_classifier({model_}, 5, {}), state, path("last"));
  EXPECT_EQ(run_state_of(*Weights::load(path("last")), "last"), state);
  try {
    (void)run_state_of(*model_, "model.safetensors");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "model.safetensors is a model, and no checkpoint of a run that could go on.");
  }
  EXPECT_THROW((void)parse_run_state("{}", "x"), Error);
  EXPECT_THROW((void)parse_run_state(R"({"steps": -1})", "x"), Error);
}

}  // namespace
}  // namespace tpn
