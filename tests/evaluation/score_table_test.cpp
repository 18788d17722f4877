#include "engine/evaluation/score_table.h"

#include <cmath>
#include <filesystem>

#include <gtest/gtest.h>

#include "engine/evaluation/score_dump.h"
#include "kernels/error.h"
#include "tests/evaluation/sample_run.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

/// Files that NumPy and torch wrote.
std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(TPN_TEST_DATA) / "evaluation" / name;
}

const std::vector<std::vector<float>> fixture_scores{
    {0.5F, 0.25F, 0.125F, 0.125F}, {0.0625F, 0.75F, 0.125F, 0.0625F}, {0.25F, 0.25F, 0.25F, 0.25F}};
const std::vector<std::int64_t> fixture_labels{0, 3, 2};

void expect_fixture(const std::string& name, bool has_labels) {
  const ScoreTable table = read_score_table(fixture(name), dump_format_of(name));
  EXPECT_EQ(table.has_labels, has_labels) << name;
  EXPECT_FALSE(table.has_paths);
  ASSERT_EQ(table.videos.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(table.videos[i].scores, fixture_scores[i]) << name;
    EXPECT_EQ(table.videos[i].label, has_labels ? fixture_labels[i] : -1) << name;
  }
}

class WrittenTable : public testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] ScoreTable write_and_read(const EvaluationRun& run) const {
    const std::filesystem::path path = folder_ / ("scores." + std::string(GetParam()));
    const auto dump = open_score_dump(path, dump_format_of(path), run);
    for (const EvaluatedVideo& video : videos_) {
      if (run.shard.has(video.entry)) dump->add(video);
    }
    EXPECT_FALSE(std::filesystem::exists(path));
    dump->finish();
    return read_score_table(path, dump_format_of(path));
  }
  [[nodiscard]] bool is(const std::string& form) const { return form == GetParam(); }

  test::TemporaryDirectory folder_;
  std::vector<EvaluatedVideo> videos_ = test::sample_videos();
};

TEST_P(WrittenTable, ComesBackAsItWas) {
  videos_[0].path = "a \"quoted\", name.mp4";
  videos_[0].scores = {0.1F, 1e-30F, 0.3F};
  const ScoreTable table = write_and_read(test::sample_run());
  EXPECT_EQ(table.has_paths, !is("npy"));
  EXPECT_EQ(table.has_labels, !is("npy"));
  const std::size_t count = is("pkl") ? 6 : 7;  // a line without a class is in no pickle
  ASSERT_EQ(table.videos.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(table.videos[i].scores, videos_[i].scores) << i;
    EXPECT_EQ(table.videos[i].readable(), videos_[i].readable()) << i;
    if (is("npy")) continue;
    EXPECT_EQ(table.videos[i].path, videos_[i].path);
    EXPECT_EQ(table.videos[i].label, videos_[i].label);
    EXPECT_EQ(table.videos[i].error, videos_[i].error);
  }
}

TEST_P(WrittenTable, HoldsAPart) {
  EvaluationRun run = test::sample_run();
  run.shard = {2, 3};  // entries 1 and 4
  const ScoreTable table = write_and_read(run);
  ASSERT_EQ(table.videos.size(), 2U);
  EXPECT_EQ(table.videos[1].scores, videos_[4].scores);
}

TEST_P(WrittenTable, IsRefusedWhereItEndsEarly) {
  (void)write_and_read(test::sample_run());
  const std::filesystem::path path = folder_ / ("scores." + std::string(GetParam()));
  const std::string bytes = test::read_file(path);
  for (const std::size_t length : {bytes.size() - 40, bytes.size() / 2, std::size_t{9}, std::size_t{0}}) {
    EXPECT_THROW(
        (void)read_score_table(folder_.write(path.filename(), bytes.substr(0, length)), dump_format_of(path)),
        Error)
        << length;
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, WrittenTable, testing::Values("csv", "npy", "pkl"),
                         [](const auto& form) { return std::string(form.param); });

TEST(ScoreTable, ReadsWhatMmaction2Writes) {
  expect_fixture("mmaction2_1x.pkl", true);
  expect_fixture("mmaction2_100.pkl", true);
  expect_fixture("mmaction2_0x.pkl", false);
  expect_fixture("shared_storage.pkl", true);
}

TEST(ScoreTable, ReadsNumpysArrays) {
  expect_fixture("numpy_protocol5.pkl", false);
  expect_fixture("scores_f32.npy", false);
  expect_fixture("scores_f64.npy", false);
  EXPECT_THROW((void)read_score_table(fixture("fortran.npy"), DumpFormat::numpy), Error);
}

TEST(ScoreTable, ExecutesNothing) {
  try {
    (void)read_score_table(fixture("hostile.pkl"), DumpFormat::pickle);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("system"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists("/tmp/tpn-evaluation-was-executed"));
}

/// A function by its name alone, where what it was called with is expected.
TEST(ScoreTable, RefusesFunctionsThatWereNotCalled) {
  using namespace std::string_literals;
  const test::TemporaryDirectory folder;
  const std::string storage =
      "\x80\x03]ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n"
      "K\x00K\x01\x85K\x01\x85\x89}tRa."s;
  const std::string dtype = "\x80\x03]cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\nC\x04\0\0\0\0tRa."s;
  for (const auto& [bytes, refused] : {std::pair(storage, "storage"), std::pair(dtype, "element type")}) {
    try {
      (void)read_score_table(folder.write("a.pkl", bytes), DumpFormat::pickle);
      FAIL() << refused;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(refused), std::string::npos) << error.what();
    }
  }
}

TEST(ScoreTable, HasScoresWhereThereIsNoError) {
  const test::TemporaryDirectory folder;
  const std::string opcodes("\x80\x02](}(X\5\0\0\0errorX\0\0\0\0ue.", 24);  // [{"error": ""}]
  try {
    (void)read_score_table(folder.write("x.pkl", opcodes), DumpFormat::pickle);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no pred_score"), std::string::npos) << error.what();
  }
}

TEST(ScoreTable, KnowsFormsByTheirNames) {
  EXPECT_EQ(dump_format_of("a/b.jsonl"), DumpFormat::json_lines);
  EXPECT_EQ(dump_format_of("b.pickle"), DumpFormat::pickle);
  EXPECT_THROW((void)dump_format_of("scores"), Error);
  EXPECT_THROW((void)dump_format_of("scores.txt"), Error);
  EXPECT_THROW((void)read_score_table("/nonexistent.npy", DumpFormat::numpy), Error);
}

}  // namespace
}  // namespace tpn
