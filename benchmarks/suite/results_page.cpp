#include "benchmarks/suite/results_page.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/statistics.h"
#include "engine/report/chart.h"
#include "engine/report/html_page.h"
#include "engine/report/html_table.h"
#include "engine/report/html_text.h"
#include "kernels/error.h"

namespace tpn::benchmarks {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

double median_of(const Series& series) {
  return median(series.values());
}

std::string quantity(double value, Unit unit) {
  if (unit == Unit::bytes) return fixed(value / 0x1p20, 1) + "\u00a0MiB";
  if (value >= 1) return fixed(value, 3) + "\u00a0s";
  return value >= 1e-3 ? fixed(1e3 * value, 2) + "\u00a0ms" : fixed(1e6 * value, 1) + "\u00a0µs";
}

// ---------------------------------------------------------------- charts of series

/// A chart of one benchmark against one of its parameters: a line for every combination of the others.
struct ScalingChart {
  std::string id, title, benchmark, parameter, x_name;
  std::function<double(const Series&)> value;
  bool straight = false;  ///< the caption tells how straight the lines are
  std::string caption = {};
};

/// What a line of the chart is called: "f32, threads 2".
std::string line_name(const Series& series, const std::string& parameter) {
  std::string name = series.variant;
  for (const auto& [key, value] : series.at) {
    if (key != parameter) name += (name.empty() ? "" : ", ") + key + " " + significant(value);
  }
  return name.empty() ? series.benchmark : name;
}

/// Of a line with at least three points; empty otherwise.
std::string straightness(const std::string& name, const std::vector<double>& x, const std::vector<double>& y,
                         const std::string& parameter) {
  std::vector<double> known_x, known_y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(y[i])) continue;
    known_x.push_back(x[i]);
    known_y.push_back(y[i]);
  }
  if (known_x.size() < 3) return {};
  const StraightLine line = line_through(known_x, known_y);
  return " " + name + ": " + significant(line.start) + " and " + significant(line.slope) + " for each of " +
         parameter + ", off by at most " + percent(line.largest_deviation) + ".";
}

std::string html_of(const ScalingChart& wanted, const SuiteResults& results) {
  constexpr std::size_t colours = 4;  // of report.css
  std::set<double> places;
  std::vector<std::pair<std::string, std::map<double, double>>> lines;
  for (const Series& series : results.series) {
    const auto at = series.at.find(wanted.parameter);
    if (series.benchmark != wanted.benchmark || at == series.at.end()) continue;
    const std::string name = line_name(series, wanted.parameter);
    auto line = std::ranges::find(lines, name, &std::pair<std::string, std::map<double, double>>::first);
    if (line == lines.end()) line = lines.insert(line, {name, {}});
    line->second[at->second] = wanted.value(series);
    places.insert(at->second);
  }
  // A line of one point shows nothing; there are no more colours for lines than that.
  std::erase_if(lines, [](const auto& line) { return line.second.size() < 2; });
  lines.resize(std::min(lines.size(), colours));
  Chart chart{.id = wanted.id,
              .title = wanted.title,
              .caption = wanted.caption,
              .x_name = wanted.x_name,
              .from_zero = true};
  chart.x.assign(places.begin(), places.end());
  for (const auto& [name, points] : lines) {
    ChartSeries drawn{name, {}};
    for (const double x : chart.x) {
      const auto point = points.find(x);
      drawn.values.push_back(point == points.end() ? missing : point->second);
    }
    if (wanted.straight) chart.caption += straightness(name, chart.x, drawn.values, wanted.x_name);
    chart.series.push_back(std::move(drawn));
  }
  return chart_html(chart);
}

double views_per_second(const Series& series) {
  const auto views = series.figures.find("views");
  return views == series.figures.end() ? missing : views->second / median_of(series);
}

double mebibytes(const Series& series) {
  return median_of(series) / 0x1p20;
}

std::string scaling_section(const SuiteResults& results) {
  const std::vector<ScalingChart> charts{
      {"batch", "Views a second by batch", "inference", "batch", "views in a run", views_per_second},
      {"threads", "Views a second by threads", "inference", "threads", "threads", views_per_second},
      {"views", "Seconds for a video by views", "video by views", "views", "views", median_of, true,
       "Whole process, from start to result."},
      {"views-memory", "Peak memory by views, MiB", "memory of video by views", "views", "views", mebibytes,
       true},
      {"length", "Seconds for a video by its length", "video by length", "seconds", "seconds of video",
       median_of, true, "Whole process, the same number of views of every video."},
      {"length-memory", "Peak memory by length, MiB", "memory of video by length", "seconds",
       "seconds of video", mebibytes, true},
      {"training", "Milliseconds a step of training by batch", "training", "batch", "clips in a step",
       [](const Series& series) { return 1e3 * median_of(series); }, true}};
  std::string text;
  for (const ScalingChart& chart : charts) text += html_of(chart, results);
  if (text.empty()) return {};
  return "<section id=\"scaling\">\n<h2>Scaling</h2>\n<div class=\"charts\">\n" + text +
         "</div>\n</section>\n";
}

// ---------------------------------------------------------------- layers

/// Of the best rate of a plain convolution; NaN for what multiplies nothing.
double share_of_peak(const Layers::Layer& layer, double peak_gflops) {
  if (layer.multiply_adds <= 0 || peak_gflops <= 0) return missing;
  return 2e-9 * layer.multiply_adds / layer.median / peak_gflops;
}

std::string layer_charts(const Layers& layers, const std::string& id) {
  Chart time{.id = id + "-time", .title = "Milliseconds by layer", .x_name = "layer", .from_zero = true};
  Chart share{.id = id + "-share",
              .title = "Share of the peak by layer",
              .caption = "The peak is the best rate of a plain convolution, " + fixed(layers.peak_gflops, 0) +
                         " GFLOP/s; what is above is drawn as 100 %.",
              .x_name = "layer",
              .shares = true};
  ChartSeries milliseconds{"ms", {}}, shares{"share", {}};
  for (std::size_t i = 0; i < layers.layers.size(); ++i) {
    time.x.push_back(static_cast<double>(i + 1));
    milliseconds.values.push_back(1e3 * layers.layers[i].median);
    shares.values.push_back(std::min(1.0, share_of_peak(layers.layers[i], layers.peak_gflops)));
  }
  share.x = time.x;
  time.series = {std::move(milliseconds)};
  share.series = {std::move(shares)};
  return "<div class=\"charts\">\n" + chart_html(time) + chart_html(share) + "</div>\n";
}

std::string layer_section(const Layers& layers) {
  const double all = layers.seconds();
  const std::string title = layers.precision + ", " + std::to_string(layers.threads) + " threads";
  const std::string id = "layers-" + layers.precision + "-" + std::to_string(layers.threads);
  HtmlTable table{"#",    "Layer",         "Operation", "Time", "GFLOP/s", "Share of the peak",
                  "GB/s", "Implementation"};
  int number = 0;
  for (const Layers::Layer& layer : layers.layers) {
    const double share = share_of_peak(layer, layers.peak_gflops);
    table.add(
        {number_cell(std::to_string(++number)), text_cell(html(layer.name)), text_cell(html(layer.operation)),
         number_cell(quantity(layer.median, Unit::seconds) + " <small>" + percent(layer.median / all) +
                     "</small>" + bar(layer.median / all)),
         number_cell(layer.multiply_adds > 0 ? fixed(2e-9 * layer.multiply_adds / layer.median, 0) : "–"),
         number_cell(percent(share) + bar(share)), number_cell(fixed(1e-9 * layer.bytes / layer.median, 1)),
         text_cell(html(layer.implementation))});
  }
  return "<section id=\"" + id + "\">\n<h2>Where the time of one view goes: " + html(title) + "</h2>\n" +
         layer_charts(layers, id) + "<details class=\"card\"><summary>All layers</summary>\n" + table.text() +
         "</details>\n</section>\n";
}

// ---------------------------------------------------------------- tables

std::string table_section(const std::string& id, const std::string& title, const HtmlTable& table) {
  return "<section id=\"" + id + "\">\n<h2>" + title + "</h2>\n<div class=\"card\">\n" + table.text() +
         "</div>\n</section>\n";
}

std::string series_section(const SuiteResults& results) {
  HtmlTable table{"Benchmark", "Median",  "Best",   "Worst of 99 %",
                  "Spread",    "Timings", "Rounds", "Share of the peak"};
  for (const Series& series : results.series) {
    const Statistics s = summarize(series.values());
    const auto share = series.figures.find("share of peak");
    const auto cell = [&](double value) { return number_cell(quantity(value, series.unit)); };
    table.add(
        {text_cell(html(series.name())), cell(s.median), cell(s.best), cell(s.p99), cell(s.spread),
         number_cell(std::to_string(s.count)), number_cell(std::to_string(series.rounds.size())),
         number_cell(share == series.figures.end() ? "" : percent(share->second) + bar(share->second))});
  }
  return table_section("series", "All series", table);
}

std::string comparison_section(const SuiteComparison& comparison) {
  HtmlTable table{"Benchmark", "Before", "Now", "Ratio", "Interval", "Change"};
  for (const SeriesComparison& s : comparison.series) {
    table.add({text_cell(html(s.name)), number_cell(quantity(s.before, s.unit)),
               number_cell(quantity(s.now, s.unit)), number_cell(fixed(s.ratio.ratio, 3)),
               number_cell(fixed(s.ratio.low, 3) + " to " + fixed(s.ratio.high, 3)),
               text_cell(html(name_of(s.change)))});
  }
  return table_section("comparison", "Compared", table);
}

std::string command_section(const SuiteResults& results) {
  std::string text =
      "<section id=\"commands\">\n<h2>Commands</h2>\n<details class=\"card\"><summary>What was "
      "run</summary>\n<pre>";
  for (const std::string& command : results.commands) text += html(command) + "\n";
  return text + "</pre></details>\n</section>\n";
}

// ---------------------------------------------------------------- head

/// The fastest of a benchmark's series by what `value` says of each; null without any.
const Series* largest(const SuiteResults& results, const std::string& benchmark,
                      const std::function<double(const Series&)>& value) {
  const Series* found = nullptr;
  for (const Series& series : results.series) {
    if (series.benchmark != benchmark || !std::isfinite(value(series))) continue;
    if (found == nullptr || value(series) > value(*found)) found = &series;
  }
  return found;
}

ReportHead head(const SuiteResults& results, const std::optional<SuiteComparison>& comparison) {
  ReportHead head;
  const auto fact = [&](const char* key) {
    const auto found = results.machine.find(key);
    return found == results.machine.end() ? std::string() : found->second;
  };
  head.title = "Benchmarks of TPN " + fact("version");
  head.subtitle = fact("processor");
  const auto shortest = [](const Series& series) { return -median_of(series); };
  const auto tile = [&](const Series* series, const std::string& value, const std::string& name) {
    if (series != nullptr) head.tiles.push_back({value, name, line_name(*series, "")});
  };
  if (const Series* s = largest(results, "inference", shortest)) {
    tile(s, quantity(median_of(*s), s->unit), "shortest run of the network");
  }
  if (const Series* s = largest(results, "inference", views_per_second)) {
    tile(s, fixed(views_per_second(*s), 2), "most views a second");
  }
  if (const Series* s = largest(results, "cold start", shortest)) {
    tile(s, quantity(median_of(*s), s->unit), "from start to first result");
  }
  if (const Series* s = largest(results, "training", shortest)) {
    tile(s, quantity(median_of(*s), s->unit), "shortest step of training");
  }
  for (const auto& [name, value] : results.machine) head.facts.push_back({name, value});
  for (const std::string& fault : results.faults) head.notes.push_back({true, fault});
  if (comparison) {
    for (const std::string& difference : comparison->differences) head.notes.push_back({true, difference});
  }
  return head;
}

}  // namespace

StraightLine line_through(const std::vector<double>& x, const std::vector<double>& y) {
  const auto count = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, products = 0, squares = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += x[i] / count;
    mean_y += y[i] / count;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    products += (x[i] - mean_x) * (y[i] - mean_y);
    squares += (x[i] - mean_x) * (x[i] - mean_x);
  }
  if (!(squares > 0)) throw Error("A line needs two points that are not above one another.");
  StraightLine line{.slope = products / squares};
  line.start = mean_y - line.slope * mean_x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = line.start + line.slope * x[i];
    line.largest_deviation = std::max(line.largest_deviation, std::abs(y[i] - expected) / std::abs(expected));
  }
  return line;
}

void write_results_page(const SuiteResults& results, const std::optional<SuiteComparison>& comparison,
                        const std::filesystem::path& path) {
  HtmlPage page(path, head(results, comparison));
  if (comparison) page.write(comparison_section(*comparison));
  page.write(scaling_section(results));
  for (const Layers& layers : results.layers) page.write(layer_section(layers));
  page.write(series_section(results));
  page.write(command_section(results));
  page.finish();
}

}  // namespace tpn::benchmarks
