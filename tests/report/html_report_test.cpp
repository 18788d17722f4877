#include "engine/report/html_report.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "tests/report/sample_report.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using test::sample_report;

std::string page_of(const FinetuneReport& report) {
  const test::TemporaryDirectory folder;
  write_html_report(report, folder / "report.html");
  EXPECT_EQ(folder.entry_count(), 1);
  return test::read_file(folder / "report.html");
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// What stands behind each of these texts, up to `end`.
std::vector<std::string> all_between(const std::string& text, const std::string& begin,
                                     const std::string& end) {
  std::vector<std::string> found;
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
    const std::size_t from = at + begin.size();
    found.push_back(text.substr(from, text.find(end, from) - from));
  }
  return found;
}

/// Two classes, three clips, of which one was taken for the other class.
FinetuneReport small_report() {
  FinetuneReport report;
  report.title = "Small";
  report.classes = {"jump", "run"};
  report.confusion = {1, 1, 0, 1};
  report.epochs = {{.epoch = 1, .train_loss = 2, .validation_loss = 1.5, .top1 = 0.25, .top5 = 1},
                   {.epoch = 2,
                    .train_loss = 1,
                    .validation_loss = 1.25,
                    .top1 = 0.625,
                    .top5 = 0.875,
                    .mean_class_accuracy = 0.75},
                   {.epoch = 3, .train_loss = 0.5}};
  return report;
}

TEST(HtmlReport, HasEveryPart) {
  const std::string page = page_of(sample_report({}));
  for (const char* part : {"curves", "accuracy", "losses", "loss", "rate", "norm", "time", "confusions",
                           "classes", "hardest", "recipe"}) {
    EXPECT_EQ(count(page, "id=\"" + std::string(part) + "\""), 1U) << part;
  }
  EXPECT_EQ(count(page, "<img "), 7U);
  EXPECT_EQ(count(page, "<article"), 8U);
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
}

TEST(HtmlReport, TextsOfUsersNeverBecomeElements) {
  const std::string page = page_of(sample_report({}));
  EXPECT_EQ(count(page, "<script>"), 0U);
  EXPECT_EQ(count(page, "<script"), 8U);  // six charts, the matrix, the page's own
  EXPECT_EQ(count(page, "</script"), 8U);
  EXPECT_EQ(count(page, "<b>motion"), 0U);
  EXPECT_EQ(count(page, "<tags>"), 0U);
  EXPECT_GT(count(page, "&lt;script&gt;alert(1)&lt;/script&gt;"), 3U);
  EXPECT_EQ(count(page, "&lt;/script&gt;&lt;script&gt;alert(2)"), 1U);
}

TEST(HtmlReport, AsksForNothing) {
  const std::string page = page_of(sample_report({}));
  for (const std::string& source : all_between(page, "src=\"", "\"")) {
    EXPECT_TRUE(source.starts_with("data:image/")) << source;
  }
  for (const char* request : {"http:", "https:", "url(", "@import", "href=", "fetch("}) {
    EXPECT_EQ(count(page, request), 0U) << request;
  }
  EXPECT_EQ(count(page, "default-src 'none'"), 1U);
}

TEST(HtmlReport, DataForTheScriptIsJson) {
  const auto blocks =
      all_between(page_of(sample_report({})), "<script type=\"application/json\">", "</script>");
  ASSERT_EQ(blocks.size(), 7U);
  for (const std::string& block : blocks) EXPECT_TRUE(nlohmann::json::accept(block)) << block;
  const auto matrix = nlohmann::json::parse(blocks.back());
  EXPECT_EQ(matrix["classes"][0], "<script>alert(1)</script>");
  EXPECT_EQ(matrix["classes"][3], "class 3");
}

TEST(HtmlReport, MatrixListsWhatIsNotZero) {
  const auto blocks = all_between(page_of(small_report()), "<script type=\"application/json\">", "</script>");
  EXPECT_EQ(nlohmann::json::parse(blocks.back())["cells"], nlohmann::json({0, 0, 1, 0, 1, 1, 1, 1, 1}));
}

TEST(HtmlReport, ShowsTheBestEpoch) {
  FinetuneReport report = small_report();
  std::string page = page_of(report);
  EXPECT_EQ(count(page, "<b>62.5\u00a0%</b><span>top-1 accuracy</span><small>epoch 2</small>"), 1U);
  EXPECT_EQ(count(page, "class=\"mark\""), 0U);
  report.best_epoch = 1;
  page = page_of(report);
  EXPECT_EQ(count(page, "<b>25.0\u00a0%</b><span>top-1 accuracy</span><small>best epoch, 1</small>"), 1U);
  EXPECT_EQ(count(page, "<b>–</b><span>mean class accuracy</span>"), 1U);
  EXPECT_EQ(count(page, "<b>1.5</b><span>validation loss</span><small>in training 2</small>"), 1U);
  EXPECT_EQ(count(page, "class=\"mark\""), 2U);
}

TEST(HtmlReport, ClassesWithTheLowestRecallComeFirst) {
  FinetuneReport report = small_report();
  report.train_samples = {20, 30};
  const auto rows = all_between(page_of(report), "<tr><td", "</tr>");
  ASSERT_EQ(rows.size(), 2U);
  for (const char* part :
       {">jump<", ">50.0\u00a0%<", ">100.0\u00a0%<", ">2<", ">20<", ">run</span> <small>1<"}) {
    EXPECT_EQ(count(rows[0], part), 1U) << part << " in " << rows[0];
  }
  EXPECT_EQ(count(rows[1], ">run<"), 1U);
  report.confusion = {0, 0, 1, 0};  // no clips of the first class
  EXPECT_EQ(count(all_between(page_of(report), "<tr><td", "</tr>")[0], ">run<"), 1U);
}

TEST(HtmlReport, ConfusionsNameBothClasses) {
  const std::string page = page_of(small_report());
  EXPECT_EQ(count(page, "<li data-row=\"0\" data-column=\"1\"><span class=\"name\">jump</span>"), 1U);
  EXPECT_EQ(count(page, "1 of 2 clips, 50.0\u00a0%"), 1U);
}

TEST(HtmlReport, CountsStepsThatWaited) {
  FinetuneReport report = small_report();
  report.steps = {{.step = 1, .data_seconds = 0.5, .step_seconds = 1},
                  {.step = 2, .data_seconds = 0, .step_seconds = 1}};
  EXPECT_EQ(count(page_of(report),
                  "1 of 2 steps waited for data more than 1 % of their time, all together 25.0\u00a0%"),
            1U);
}

TEST(HtmlReport, KeepsOptionsOfNotesInOneLine) {
  EXPECT_EQ(
      count(page_of(sample_report({})),
            "For &lt;some&gt; clips a step the learning rate wants another "
            "<span class=\"option\">--auto-scale-lr,</span> or <span class=\"option\">--lr.</span></p>"),
      1U);
}

TEST(HtmlReport, LeavesOutWhatThereIsNot) {
  FinetuneReport report;
  report.title = "Nothing yet";
  const std::string page = page_of(report);
  EXPECT_EQ(count(page, "<h1>Nothing yet</h1>"), 1U);
  EXPECT_EQ(count(page, "<section"), 0U);
  EXPECT_EQ(count(page, "class=\"tile"), 0U);
}

TEST(HtmlReport, StaysReadableWithoutAScript) {
  const std::string page = page_of(sample_report({.classes = 400}));
  EXPECT_EQ(count(page, "<tr><td"), 400U);
  EXPECT_GE(count(page, "<path class=\"line"), 10U);
}

TEST(HtmlReport, ContradictionsAreRefusedAndLeaveTheOldPage) {
  const test::TemporaryDirectory folder;
  const auto path = folder.write("report.html", "old");
  const std::vector<std::pair<std::string, std::function<void(FinetuneReport&)>>> faults = {
      {"confusion matrix has 3 elements for 2 classes", [](FinetuneReport& r) { r.confusion.pop_back(); }},
      {"3 numbers of samples", [](FinetuneReport& r) { r.train_samples.assign(3, 1); }},
      {"step 7 has 1 losses", [](FinetuneReport& r) { r.steps = {{.step = 7, .losses = {1}}}; }},
      {"a.mp4 is of class 2", [](FinetuneReport& r) { r.hardest = {{.name = "a.mp4", .label = 2}}; }},
      {"a guess for a.mp4 is of class -1",
       [](FinetuneReport& r) { r.hardest = {{.name = "a.mp4", .guesses = {{.label = -1}}}}; }},
      {"thumbnail of a.mp4",
       [](FinetuneReport& r) { r.hardest = {{.name = "a.mp4", .thumbnail = {std::byte{1}}}}; }}};
  for (const auto& [message, break_it] : faults) {
    FinetuneReport report = small_report();
    break_it(report);
    try {
      write_html_report(report, path);
      ADD_FAILURE() << message;
    } catch (const Error& error) {
      EXPECT_EQ(count(error.what(), message), 1U) << error.what();
    }
    EXPECT_EQ(test::read_file(path), "old");
    EXPECT_EQ(folder.entry_count(), 1);
  }
}

}  // namespace
}  // namespace tpn
