#include "engine/evaluation/evaluation_run.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "engine/evaluation/protocol.h"
#include "kernels/error.h"
#include "tests/evaluation/sample_run.h"
#include "tests/recognize/tiny_model.h"

namespace tpn {
namespace {

std::map<std::string, std::string>& variables() {
  static std::map<std::string, std::string> all;
  return all;
}

std::optional<std::string> variable(const char* name) {
  const auto found = variables().find(name);
  return found == variables().end() ? std::nullopt : std::optional(found->second);
}

Shard shard_with(const std::map<std::string, std::string>& set, const std::string& text = "auto") {
  variables() = set;
  return parse_shard(text, variable);
}

TEST(Shard, TakesEveryEntryOnce) {
  std::multiset<std::size_t> taken;
  for (std::size_t i = 1; i <= 3; ++i) {
    const Shard shard{i, 3};
    std::size_t size = 0;
    for (std::size_t entry = 0; entry < 8; ++entry) {
      if (!shard.has(entry)) continue;
      taken.insert(entry);
      ++size;
    }
    EXPECT_EQ(shard.size(8), size);
  }
  EXPECT_EQ(taken, (std::multiset<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Shard, IsParsed) {
  EXPECT_EQ(shard_with({}, "2/8"), (Shard{2, 8}));
  for (const char* text : {"0/8", "9/8", "8", "a/b", "1/", "/2", "1/0", "-1/2", "1/2x", ""}) {
    EXPECT_THROW((void)shard_with({}, text), Error) << text;
  }
}

TEST(Shard, ComesFromTheEnvironment) {
  EXPECT_EQ(shard_with({{"SLURM_ARRAY_TASK_ID", "7"}, {"SLURM_ARRAY_TASK_COUNT", "8"}}), (Shard{8, 8}));
  EXPECT_EQ(shard_with({{"SLURM_ARRAY_TASK_ID", "14"},
                        {"SLURM_ARRAY_TASK_MIN", "10"},
                        {"SLURM_ARRAY_TASK_STEP", "2"},
                        {"SLURM_ARRAY_TASK_COUNT", "5"}}),
            (Shard{3, 5}));
  EXPECT_EQ(shard_with({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "4"}}), (Shard{1, 4}));
  EXPECT_THROW((void)shard_with({}), Error);
  EXPECT_THROW((void)shard_with({{"SLURM_ARRAY_TASK_ID", "3"}}), Error);
  EXPECT_THROW((void)shard_with({{"SLURM_ARRAY_TASK_ID", "8"}, {"SLURM_ARRAY_TASK_COUNT", "8"}}), Error);
  EXPECT_THROW((void)shard_with({{"SLURM_ARRAY_TASK_ID", "13"},
                                 {"SLURM_ARRAY_TASK_MIN", "10"},
                                 {"SLURM_ARRAY_TASK_STEP", "2"},
                                 {"SLURM_ARRAY_TASK_COUNT", "5"}}),
               Error);
}

TEST(EvaluationRun, TellsRunsApart) {
  const EvaluationRun run = test::sample_run();
  const auto expect_other = [&](const std::string& what, auto change) {
    EvaluationRun other = run;
    change(other);
    try {
      require_same_run(run, other, "b.jsonl");
      ADD_FAILURE() << what;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "b.jsonl was made with another " + what + ".");
    }
  };
  expect_other("model", [](EvaluationRun& r) { r.model_digest += "0"; });
  expect_other("model", [](EvaluationRun& r) { r.classes[2] = "x"; });
  expect_other("list", [](EvaluationRun& r) { r.list_digest += "0"; });
  expect_other("list", [](EvaluationRun& r) { ++r.entries; });
  expect_other("number of views", [](EvaluationRun& r) { r.clips = 1; });
  expect_other("number of views", [](EvaluationRun& r) { r.crops = 1; });
  expect_other("size of pictures", [](EvaluationRun& r) { r.crop_size = 224; });
  expect_other("size of pictures", [](EvaluationRun& r) { r.short_side = 320; });
  expect_other("average of views", [](EvaluationRun& r) { r.averaging = "score"; });
  expect_other("precision", [](EvaluationRun& r) { r.precision = "bf16"; });
  expect_other("conversion of colours", [](EvaluationRun& r) { r.accurate_color = true; });
  EvaluationRun part = run;
  part.shard = {2, 3};
  EXPECT_NO_THROW(require_same_run(run, part, "b.jsonl"));
}

TEST(Protocol, IsThatOfThePublishedFigures) {
  const test::TinyModel slow, tsm("tpn-tsm-r50-1x1x8");
  const RecognizerOptions k400 = with_protocol("k400", Model::load(slow.path()), {});
  EXPECT_EQ(k400.clips, 10);
  EXPECT_EQ(k400.crops, 3);
  EXPECT_EQ(k400.short_side, 256);
  EXPECT_EQ(k400.crop_size, 256);
  EXPECT_EQ(k400.averaging, Averaging::probabilities);
  const RecognizerOptions sthv1 = with_protocol("sthv1", Model::load(tsm.path()), {});
  EXPECT_EQ(sthv1.clips, 2);
  EXPECT_EQ(sthv1.crops, 3);
  EXPECT_EQ(sthv1.crop_size, 256);
  EXPECT_EQ(with_protocol("model", Model::load(tsm.path()), {}).clips, 0);
}

TEST(Protocol, LeavesWhatIsGiven) {
  const test::TinyModel slow;
  const RecognizerOptions options =
      with_protocol("k400", Model::load(slow.path()),
                    {.clips = 2, .short_side = 40, .crop_size = 32, .averaging = Averaging::scores});
  EXPECT_EQ(options.clips, 2);
  EXPECT_EQ(options.crops, 3);
  EXPECT_EQ(options.crop_size, 32);
  EXPECT_EQ(options.short_side, 40);
  EXPECT_EQ(options.averaging, Averaging::scores);
}

TEST(Protocol, IsRefusedForOtherModels) {
  const test::TinyModel slow, tsm("tpn-tsm-r50-1x1x8");
  EXPECT_THROW((void)with_protocol("sthv1", Model::load(slow.path()), {}), Error);
  EXPECT_THROW((void)with_protocol("k400", Model::load(tsm.path()), {}), Error);
  EXPECT_THROW((void)with_protocol("k600", Model::load(slow.path()), {}), Error);
}

}  // namespace
}  // namespace tpn
