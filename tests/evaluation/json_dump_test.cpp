#include "engine/evaluation/json_dump.h"

#include <limits>

#include <gtest/gtest.h>

#include "engine/evaluation/merge.h"
#include "kernels/error.h"
#include "tests/evaluation/sample_run.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

std::string dump_of(const EvaluationRun& run, const std::vector<EvaluatedVideo>& videos) {
  std::string text = heading_line(run);
  for (const EvaluatedVideo& video : videos) {
    if (run.shard.has(video.entry)) text += video_line(video);
  }
  return text;
}

struct Read {
  EvaluationRun run;
  std::vector<EvaluatedVideo> videos;
  WholeLines end;
};

Read read(const std::filesystem::path& path) {
  Read result;
  result.end =
      read_json_dump(path, {[&](const EvaluationRun& run) { result.run = run; },
                            [&](EvaluatedVideo&& video) { result.videos.push_back(std::move(video)); }});
  return result;
}

class JsonDump : public testing::Test {
 protected:
  void expect_refused(const std::string& text, const std::string& part) const {
    try {
      (void)read(folder_.write("x.jsonl", text));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
  [[nodiscard]] std::filesystem::path write_part(const std::string& name, const Shard& shard) const {
    EvaluationRun run = run_;
    run.shard = shard;
    return folder_.write(name, dump_of(run, videos_));
  }
  void expect_not_merged(const std::vector<std::filesystem::path>& parts, const std::string& part) const {
    try {
      (void)merge_evaluations(parts);
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }

  test::TemporaryDirectory folder_;
  EvaluationRun run_ = test::sample_run();
  std::vector<EvaluatedVideo> videos_ = test::sample_videos();
};

TEST_F(JsonDump, ComesBackAsItWas) {
  videos_[0].scores = {0.1F, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::max()};
  const std::string text = dump_of(run_, videos_);
  const auto path = folder_.write("a.jsonl", text);
  EXPECT_TRUE(is_json_dump(path));
  const Read back = read(path);
  EXPECT_EQ(back.end.bytes, text.size());
  EXPECT_FALSE(back.end.torn);
  EXPECT_NO_THROW(require_same_run(run_, back.run, "it"));
  EXPECT_EQ(back.run.model, run_.model);
  EXPECT_EQ(back.run.list, run_.list);
  ASSERT_EQ(back.videos.size(), videos_.size());
  for (std::size_t i = 0; i < videos_.size(); ++i) {
    EXPECT_EQ(back.videos[i].entry, videos_[i].entry);
    EXPECT_EQ(back.videos[i].path, videos_[i].path);
    EXPECT_EQ(back.videos[i].origin, videos_[i].origin);
    EXPECT_EQ(back.videos[i].label, videos_[i].label);
    EXPECT_EQ(back.videos[i].frames, videos_[i].frames);
    EXPECT_EQ(back.videos[i].seconds, videos_[i].seconds);
    EXPECT_EQ(back.videos[i].scores, videos_[i].scores);
    EXPECT_EQ(back.videos[i].error, videos_[i].error);
    EXPECT_EQ(back.videos[i].warnings, videos_[i].warnings);
  }
  EXPECT_EQ(dump_of(back.run, back.videos), text);
}

TEST_F(JsonDump, LeavesOutALineWithoutAnEnd) {
  const std::string whole = heading_line(run_) + video_line(videos_[0]);
  const Read back = read(folder_.write("a.jsonl", whole + video_line(videos_[1]).substr(0, 40)));
  EXPECT_TRUE(back.end.torn);
  EXPECT_EQ(back.end.bytes, whole.size());
  EXPECT_EQ(back.videos.size(), 1U);
  const Read nothing = read(folder_.write("b.jsonl", heading_line(run_).substr(0, 30)));
  EXPECT_TRUE(nothing.end.torn);
  EXPECT_EQ(nothing.end.bytes, 0U);
}

TEST_F(JsonDump, IsRefusedWhereItIsNone) {
  const std::string heading = heading_line(run_);
  expect_refused("{\"input\":\"a.mp4\"}\n", "x.jsonl, line 1");
  expect_refused("[1]\n", "x.jsonl, line 1");
  expect_refused("nonsense\n", "x.jsonl, line 1");
  expect_refused(heading + "{\"entry\":0}\n", "x.jsonl, line 2");
  expect_refused(heading + video_line(videos_[1]) + video_line(videos_[1]), "line 3");
  expect_refused(heading + video_line(videos_[2]) + video_line(videos_[1]), "is there already");
  EvaluatedVideo video = videos_[0];
  video.scores.push_back(0);
  expect_refused(heading + video_line(video), "4 scores for 3 classes");
  video = videos_[0];
  video.entry = 7;
  expect_refused(heading + video_line(video), "the entry 7");
  for (const std::int64_t label : {3, -1}) {
    video = videos_[0];
    video.label = label;
    expect_refused(heading + video_line(video), "its label " + std::to_string(label));
  }
  EvaluationRun part = run_;
  part.shard = {1, 2};
  expect_refused(heading_line(part) + video_line(videos_[1]), "part 1/2");
  EXPECT_FALSE(is_json_dump(folder_.write("y", "{\"input\":\"a.mp4\"}\n")));
}

TEST_F(JsonDump, IsMergedFromPartsInAnyOrder) {
  const std::vector<std::filesystem::path> parts{write_part("c", {3, 3}), write_part("a", {1, 3}),
                                                 write_part("b", {2, 3})};
  const MergedEvaluation merged = merge_evaluations(parts);
  EXPECT_EQ(dump_of(merged.run, merged.videos), dump_of(run_, videos_));
}

TEST_F(JsonDump, IsNotMergedWithGapsOrRepetitions) {
  const auto a = write_part("a", {1, 3}), b = write_part("b", {2, 3}), c = write_part("c", {3, 3});
  expect_not_merged({a, c}, "2 are in none of the parts (counted from 0): 1, 4.");
  expect_not_merged({a, b, c, b}, "more than once (counted from 0): 1, 4.");
  expect_not_merged({a, b, write_part("d", {1, 1})}, "more than once");
  run_.precision = "bf16";
  expect_not_merged({a, b, write_part("e", {3, 3})}, "another precision");
  expect_not_merged({a, folder_.write("f", "")}, "it holds no results");
  const std::string text = test::read_file(c);
  expect_not_merged({a, b, folder_.write("g", text.substr(0, text.size() - 5))}, "--resume");
}

}  // namespace
}  // namespace tpn
