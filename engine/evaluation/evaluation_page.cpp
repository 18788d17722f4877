#include "engine/evaluation/evaluation_page.h"

#include <string>
#include <utility>
#include <vector>

#include "engine/report/chart.h"
#include "engine/report/class_section.h"
#include "engine/report/html_page.h"
#include "engine/report/html_table.h"
#include "engine/report/html_text.h"

namespace tpn {
namespace {

std::string interval_text(const Interval& interval) {
  return "95 %: " + fixed(100 * interval.low, 1) + " to " + fixed(100 * interval.high, 1);
}

std::string exact_percent(double share) {
  return fixed(100 * share, 2) + "\u00a0%";
}

std::string of_readable(const EvaluationResults& r, double share) {
  return r.summary.failed > 0 ? "; of the readable " + exact_percent(share) : std::string();
}

ReportHead head(const EvaluationResults& r) {
  const EvaluationSummary& s = r.summary;
  const Accuracies& all = s.all;
  const Accuracies& readable = s.readable;
  ReportHead head;
  head.title = r.run.model + " on " + std::filesystem::path(r.run.list).filename().string();
  head.subtitle = protocol_text(r.run);
  head.tiles = {
      {exact_percent(all.top1.share()), "top-1 accuracy",
       interval_text(all.top1_interval) + of_readable(r, readable.top1.share())},
      {exact_percent(all.top5.share()), "top-5 accuracy",
       interval_text(all.top5_interval) + of_readable(r, readable.top5.share())},
      {exact_percent(all.mean_class), "mean class accuracy",
       interval_text(all.mean_class_interval) + of_readable(r, readable.mean_class)},
      {exact_percent(s.calibration_error), "calibration error", "how far confidence is from accuracy"}};
  head.facts = {{"List", r.run.list},
                {"Entries", std::to_string(s.entries)},
                {"Not usable", std::to_string(s.failed)},
                {"Used in spite of damage", std::to_string(s.damaged)},
                {"Shorter than a clip", std::to_string(s.brief)},
                {"Model file", r.run.model_digest}};
  if (r.run.shard.count > 1) {
    head.notes.push_back({true, "This is part " + r.run.shard.text() +
                                    " of the list; tpn_eval --merge puts parts "
                                    "together."});
  }
  if (s.failed > 0) {
    head.notes.push_back(
        {true, std::to_string(s.failed) + " of " + std::to_string(s.entries) +
                   " entries could not be used and count as wrong in the figures above; they are "
                   "named below."});
  }
  return head;
}

std::string calibration_section(const EvaluationSummary& s) {
  Chart chart{.id = "calibration",
              .title = "Accuracy by confidence",
              .caption =
                  "Where the model is as sure as it is right, both lines meet. Confidence is the largest "
                  "probability, in ten bins.",
              .x_name = "confidence in %, around",
              .shares = true};
  ChartSeries accuracy{"accuracy", {}};
  ChartSeries confidence{"mean confidence", {}};
  ChartSeries videos{"share of the videos", {}};
  double readable = 0;
  for (const ConfidenceBin& bin : s.calibration) readable += static_cast<double>(bin.right.trials);
  for (const ConfidenceBin& bin : s.calibration) {
    const bool any = bin.right.trials > 0;
    chart.x.push_back(50 * (bin.low + bin.high));
    accuracy.values.push_back(bin.right.share());
    confidence.values.push_back(any ? bin.confidence : bin.right.share());
    videos.values.push_back(static_cast<double>(bin.right.trials) / readable);
  }
  chart.series = {std::move(accuracy), std::move(confidence), std::move(videos)};
  return chart_html(chart);
}

std::string length_section(const EvaluationSummary& s) {
  if (s.lengths.empty()) return {};
  HtmlTable table{s.length_in_seconds ? "Seconds" : "Frames", "Videos", "Top-1", "Top-5"};
  for (const LengthGroup& group : s.lengths) {
    table.add({text_cell(significant(group.least) + " to " + significant(group.most)),
               number_cell(std::to_string(group.top1.trials)),
               number_cell(percent(group.top1.share()) + " <small>" +
                           interval_text(wilson_interval(group.top1)) + "</small>" + bar(group.top1.share())),
               number_cell(percent(group.top5.share()) + bar(group.top5.share()))});
  }
  return "<div class=\"card\">\n<h3>Accuracy by length</h3>\n" + table.text() + "</div>\n";
}

std::string comparison_section(const EvaluationResults& r) {
  if (!r.comparison) return {};
  const Comparison& c = *r.comparison;
  std::string text = "<section id=\"comparison\">\n<h2>Compared with " + html(c.name) +
                     "</h2>\n<div class=\"card\">\n<dl class=\"facts\">\n";
  const std::vector<ReportFact> facts{
      {"Videos in both", std::to_string(c.videos)},
      {"Only here, only there", std::to_string(c.only_here) + ", " + std::to_string(c.only_there)},
      {"Not usable here, there", std::to_string(c.failed_here) + ", " + std::to_string(c.failed_there)},
      {"Top-1 here, there", exact_percent(c.here.share()) + ", " + exact_percent(c.there.share())},
      {"Same first guess", exact_percent(c.agreement.share()) + " of " + std::to_string(c.agreement.trials)},
      {"Right only here, only there", std::to_string(c.right_here) + ", " + std::to_string(c.right_there)},
      {"McNemar's exact test", "p = " + significant(c.p_value)},
      {"Mean difference of scores", significant(c.mean_difference)}};
  for (const ReportFact& fact : facts) {
    text += "<div><dt>" + html(fact.name) + "</dt><dd>" + html(fact.value) + "</dd></div>\n";
  }
  text += "</dl>\n</div>\n";
  if (!c.largest.empty()) {
    HtmlTable table{"Video", "Class", "Difference", "Of class", "Guess here", "Guess there"};
    const auto name = [&](std::int64_t label) {
      return text_cell(label < 0 ? "–" : class_html(r.run.classes, static_cast<std::size_t>(label)));
    };
    for (const ScoreDifference& d : c.largest) {
      table.add({text_cell(html(d.path)), name(d.label), number_cell(significant(d.largest)),
                 name(d.of_class), name(d.guess), name(d.other_guess)});
    }
    text += "<div class=\"card\">\n<h3>Largest differences</h3>\n" + table.text() + "</div>\n";
  }
  return text + "</section>\n";
}

std::string remark_section(const std::string& id, const std::string& title,
                           const std::vector<EntryRemark>& remarks) {
  if (remarks.empty()) return {};
  HtmlTable table{"Entry", "Reason"};
  for (const EntryRemark& remark : remarks) {
    table.add({number_cell(html(remark.origin)), text_cell(html(remark.text))});
  }
  return "<section id=\"" + id + "\">\n<h2>" + title + "</h2>\n<div class=\"card\">\n" + table.text() +
         "</div>\n</section>\n";
}

}  // namespace

void write_evaluation_page(const EvaluationResults& results, const std::filesystem::path& path) {
  const EvaluationSummary& s = results.summary;
  HtmlPage page(path, head(results));
  page.write("<section id=\"quality\">\n<h2>When it is right</h2>\n<div class=\"charts\">\n" +
             calibration_section(s) + length_section(s) + "</div>\n</section>\n");
  ClassSection classes{results.run.classes, s.confusion, "Videos", {}};
  if (s.failed > 0) {
    ClassColumn failed{"Not usable", {}};
    for (const ClassAccuracy& c : s.classes) failed.counts.push_back(c.failed);
    classes.columns.push_back(std::move(failed));
  }
  page.write(class_sections_html(classes));
  page.write(comparison_section(results));
  page.write(remark_section("failures", "Not usable", s.failures));
  page.write(remark_section("remarks", "Remarks", s.remarks));
  page.finish();
}

}  // namespace tpn
