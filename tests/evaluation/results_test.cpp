#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/evaluation/evaluation_page.h"
#include "engine/evaluation/results_text.h"
#include "tests/evaluation/sample_run.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

EvaluationResults sample_results() {
  EvaluationTally tally(test::sample_run());
  Comparer comparer({"other.jsonl", test::sample_videos(), true, true}, 7);
  for (EvaluatedVideo video : test::sample_videos()) {
    tally.add(video);
    if (video.entry == 0) video.scores = {0.5F, 0.25F, 0.25F};
    comparer.add(video);
  }
  return {test::sample_run(), tally.summary(), comparer.finish()};
}

TEST(ResultsJson, HasEveryFigure) {
  const auto o = nlohmann::json::parse(results_json(sample_results()));
  EXPECT_EQ(o["entries"], 7);
  EXPECT_EQ(o["failed"], 2);
  EXPECT_EQ(o["all"]["top1_hits"], 3);
  EXPECT_DOUBLE_EQ(o["all"]["top1"], 3.0 / 7);
  EXPECT_DOUBLE_EQ(o["readable"]["top1"], 3.0 / 5);
  EXPECT_NEAR(o["all"]["top1_interval"][1], 0.7495416354723429, 1e-12);
  EXPECT_DOUBLE_EQ(o["calibration_error"], 0.25);
  EXPECT_EQ(o["calibration"].size(), 10U);
  EXPECT_TRUE(o["calibration"][0]["accuracy"].is_null());
  EXPECT_EQ(o["classes"][1]["label"], "\"run\" \xc3\xa9t\xc3\xa9");
  EXPECT_EQ(o["classes"][1]["failed"], 1);
  EXPECT_DOUBLE_EQ(o["classes"][1]["precision"], 0.5);
  EXPECT_EQ(o["confusion"], nlohmann::json::parse("[[0,0,1],[0,1,1],[1,0,1],[1,1,1],[2,2,1]]"));
  EXPECT_EQ(o["failures"][0]["origin"], "val.txt:4");
  EXPECT_EQ(o["remarks"].size(), 2U);
  EXPECT_EQ(o["length_unit"], "seconds");
  EXPECT_EQ(o["comparison"]["agreement"], 1);
  EXPECT_DOUBLE_EQ(o["comparison"]["largest_differences"][0]["largest"], 0.25);
}

TEST(ResultsText, SaysWhatMatters) {
  const std::string text = results_text(sample_results());
  for (const char* part :
       {"k400: 10x3 views of 256 (short side 256), mean of probabilities, f32",
        "top-1       42.86 % (95 %: 15.82 to 74.95)", "top-1       60.00 %", "2 entries could not be used",
        "1 video used in spite of damage", "Calibration error 25.00 %",
        "Compared with other.jsonl (7 videos in both)", "by up to 0.25 (clip0.mp4, class 0)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(EvaluationPage, IsWholeAndEscaped) {
  const test::TemporaryDirectory folder;
  EvaluationResults results = sample_results();
  results.summary.failures[0].text = "<script>alert(1)</script>";
  results.comparison->name = "<b>";
  write_evaluation_page(results, folder / "page.html");
  const std::string page = test::read_file(folder / "page.html");
  for (const char* part :
       {"42.86\u00a0%", "of the readable 60.00\u00a0%", "What was taken for what", "Accuracy by confidence",
        "Accuracy by length", "McNemar", "Not usable", "&lt;script&gt;alert", "val.txt:4", "</html>"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("<b>\n"), std::string::npos);
}

}  // namespace
}  // namespace tpn
