#include "engine/report/chart.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tpn {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Chart chart_of(std::vector<double> values) {
  Chart chart{.id = "loss", .title = "Loss", .x_name = "step"};
  for (std::size_t i = 0; i < values.size(); ++i) chart.x.push_back(static_cast<double>(i + 1));
  chart.series = {{"training", std::move(values)}};
  return chart;
}

/// What stands between two texts, the first time.
std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string::npos) return "no " + before;
  const std::size_t from = begin + before.size();
  return text.substr(from, text.find(after, from) - from);
}

std::string line_of(const Chart& chart) {
  return between(chart_html(chart), "<path class=\"line s0\" d=\"", "\"");
}

nlohmann::json hover_data(const Chart& chart) {
  return nlohmann::json::parse(between(chart_html(chart), "<script type=\"application/json\">", "</script>"));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Chart, DrawsValuesWhereTheyBelong) {
  EXPECT_EQ(line_of(chart_of({0, 1, 2})), "M0.0 1000.0L500.0 500.0L1000.0 0.0");
}

TEST(Chart, LeavesOutWhatWasNotMeasured) {
  const Chart chart = chart_of({0, nan, std::numeric_limits<double>::infinity(), 2});
  EXPECT_EQ(line_of(chart), "M0.0 1000.0L1000.0 0.0");
  EXPECT_TRUE(hover_data(chart)["series"][0]["y"][1].is_null());
  EXPECT_EQ(chart_html(chart_of({nan, nan})), "");
  EXPECT_EQ(chart_html(chart_of({})), "");
}

TEST(Chart, HasAPlaceForASingleValue) {
  EXPECT_EQ(line_of(chart_of({3})), "M500.0 1000.0");
  EXPECT_EQ(line_of(chart_of({0})), "M500.0 1000.0");
  EXPECT_FALSE(contains(chart_html(chart_of({0})), "nan"));
}

TEST(Chart, BeginsAtZeroUnlessValuesLieCloseTogether) {
  EXPECT_TRUE(contains(chart_html(chart_of({1, 4})), "style=\"bottom:0.00%\"><span>0</span>"));
  EXPECT_TRUE(contains(chart_html(chart_of({9, 10})), "style=\"bottom:0.00%\"><span>9</span>"));
  Chart whole = chart_of({9, 10});
  whole.from_zero = true;
  EXPECT_TRUE(contains(chart_html(whole), "style=\"bottom:0.00%\"><span>0</span>"));
  EXPECT_TRUE(contains(chart_html(chart_of({-1, 1})), "style=\"bottom:50.00%\"><span>0</span>"));
}

TEST(Chart, ShowsSharesInPercent) {
  Chart chart = chart_of({0.5, 0.75});
  chart.shares = true;
  EXPECT_EQ(line_of(chart), "M0.0 500.0L1000.0 250.0");
  EXPECT_TRUE(contains(chart_html(chart), "style=\"bottom:75.00%\"><span>75 %</span>"));
  EXPECT_EQ(hover_data(chart)["series"][0]["y"][1], 75);
  EXPECT_EQ(hover_data(chart)["unit"], " %");
}

TEST(Chart, CountsInPowersOfTenWhereValuesDifferMuch) {
  Chart chart = chart_of({0.1, 1, 1000});
  chart.any_magnitude = true;
  EXPECT_EQ(line_of(chart), "M0.0 1000.0L500.0 750.0L1000.0 0.0");
  chart = chart_of({0.1, 1, 9});
  chart.any_magnitude = true;
  EXPECT_EQ(line_of(chart), "M0.0 990.0L500.0 900.0L1000.0 100.0");
}

TEST(Chart, MarksAPosition) {
  Chart chart = chart_of({1, 2, 3});
  chart.mark = 2;
  chart.mark_name = "best";
  EXPECT_TRUE(contains(
      chart_html(chart),
      "<i class=\"mark\" style=\"left:50.00%\"><span style=\"transform:translateX(-50.00%)\">best</span>"));
}

TEST(Chart, JoinsNeighboursButShowsTheirExtremes) {
  std::vector<double> values(1000, 1.0);
  values[499] = 10;  // in the position of steps 499 to 501
  const Chart chart = chart_of(values);
  const auto data = hover_data(chart);
  ASSERT_EQ(data["labels"].size(), 334U);
  EXPECT_EQ(data["labels"][0], "1–3");
  EXPECT_EQ(data["labels"][333], "1000");
  EXPECT_EQ(data["series"][0]["y"][166], 4);
  const std::string band = between(chart_html(chart), "<path class=\"band s0\" d=\"", "\"");
  EXPECT_TRUE(contains(band, " 0.0L")) << band;  // the spike's top
}

TEST(Chart, SmoothedLinesDoNotLagBehind) {
  std::vector<double> ramp;
  for (int i = 0; i <= 300; ++i) ramp.push_back(i);
  Chart chart = chart_of(ramp);
  chart.noisy = true;
  EXPECT_TRUE(contains(line_of(chart), "L500.0 500.0")) << line_of(chart);
  EXPECT_TRUE(contains(chart_html(chart), "<path class=\"raw s0\" d=\"M0.0 1000.0L"));
}

TEST(Chart, SmoothingTakesNoiseAway) {
  std::vector<double> values(400);
  for (std::size_t i = 0; i < values.size(); i += 2) values[i] = 2;
  Chart chart = chart_of(values);
  chart.noisy = true;
  // Means lie around the middle; what was measured reaches from edge to edge.
  const std::string middle = between(line_of(chart), "L501.3 ", "L");
  EXPECT_NEAR(std::stod(middle), 500, 60) << line_of(chart);
}

TEST(Chart, NamesAreText) {
  Chart chart = chart_of({1, 2});
  chart.title = "<b>";
  chart.series[0].name = "</script><i>";
  chart.series.push_back({"other", {2, 1}});
  const std::string html = chart_html(chart);
  EXPECT_FALSE(contains(html, "<b>"));
  EXPECT_FALSE(contains(html, "</script><i>"));
  EXPECT_EQ(hover_data(chart)["series"][0]["name"], "</script><i>");
}

}  // namespace
}  // namespace tpn
