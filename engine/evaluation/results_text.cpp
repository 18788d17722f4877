#include "engine/evaluation/results_text.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "engine/report/class_scores.h"
#include "engine/report/html_text.h"
#include "engine/report/json_text.h"
#include "engine/video/quantity.h"

namespace tpn {
namespace {

// ---------------------------------------------------------------- text

std::string percents(double share) {
  return fixed(100 * share, 2) + " %";
}

std::string percents(double share, const Interval& interval) {
  return percents(share) + " (95 %: " + fixed(100 * interval.low, 2) + " to " +
         fixed(100 * interval.high, 2) + ")";
}

std::string accuracy_lines(const std::string& over, const Accuracies& a) {
  return over + " (" + std::to_string(a.top1.trials) + ")\n  top-1       " +
         percents(a.top1.share(), a.top1_interval) + "\n  top-5       " +
         percents(a.top5.share(), a.top5_interval) + "\n  mean class  " +
         percents(a.mean_class, a.mean_class_interval) + "\n";
}

std::string worst_classes(const EvaluationResults& r) {
  constexpr std::size_t most = 3;
  const auto& classes = r.summary.classes;
  std::vector<std::size_t> order(classes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::erase_if(order, [&](std::size_t k) { return classes[k].videos == 0; });
  const auto share = [&](std::size_t k) { return Proportion{classes[k].hits, classes[k].videos}.share(); };
  std::ranges::stable_sort(order, {}, share);
  order.resize(std::min(order.size(), most));
  std::string text = "Hardest classes: ";
  for (const std::size_t k : order) {
    text += (k == order.front() ? "" : ", ") + class_name(r.run, static_cast<std::int64_t>(k)) + " " +
            percents(share(k));
  }
  return text + "\n";
}

std::string confusion_lines(const EvaluationResults& r) {
  constexpr std::size_t most = 3;
  const auto pairs = largest_confusions(r.summary.confusion, r.run.classes.size(), most);
  std::string text;
  for (const Confusion& pair : pairs) {
    text += (text.empty() ? "Mostly taken for others: " : ", ") +
            class_name(r.run, static_cast<std::int64_t>(pair.label)) + " for " +
            class_name(r.run, static_cast<std::int64_t>(pair.guess)) + " (" + std::to_string(pair.count) +
            ")";
  }
  return text.empty() ? text : text + "\n";
}

std::string length_lines(const EvaluationSummary& s) {
  if (s.lengths.empty()) return {};
  std::string text = std::string("Top-1 by length in ") + (s.length_in_seconds ? "seconds" : "frames") + ":";
  for (const LengthGroup& group : s.lengths) {
    text += " " + significant(group.least) + "-" + significant(group.most) + ": " +
            percents(group.top1.share()) + ",";
  }
  text.back() = '\n';
  return text;
}

std::string comparison_lines(const Comparison& c) {
  std::string text = "\nCompared with " + c.name + " (" + count_of(c.videos, "video") + " in both";
  if (c.only_here + c.only_there > 0) {
    text +=
        ", " + std::to_string(c.only_here) + " only here, " + std::to_string(c.only_there) + " only there";
  }
  text += ")\n  top-1 here  " + percents(c.here.share()) + ", there " + percents(c.there.share()) +
          "\n  same first guess  " + percents(c.agreement.share()) + " of " +
          std::to_string(c.agreement.trials) + "\n  right only here  " + std::to_string(c.right_here) +
          ", only there " + std::to_string(c.right_there) +
          "; McNemar's exact test: p = " + significant(c.p_value) + "\n  scores differ by " +
          significant(c.mean_difference) + " on average";
  if (!c.largest.empty()) {
    const ScoreDifference& d = c.largest.front();
    text += ", by up to " + significant(d.largest) + " (" + d.path + ", class " + std::to_string(d.of_class) +
            ")";
  }
  return text + "\n";
}

// ---------------------------------------------------------------- JSON

std::string json_of(const Interval& interval) {
  return json_array(std::array{interval.low, interval.high}, json_number);
}

std::string json_of(const Accuracies& a) {
  const bool any = a.top1.trials > 0;
  const auto interval = [any](const Interval& i) { return any ? json_of(i) : std::string("null"); };
  return JsonObject()
      .add("videos", a.top1.trials)
      .add("top1_hits", a.top1.hits)
      .add("top1", a.top1.share())
      .add_json("top1_interval", interval(a.top1_interval))
      .add("top5_hits", a.top5.hits)
      .add("top5", a.top5.share())
      .add_json("top5_interval", interval(a.top5_interval))
      .add("mean_class", a.mean_class)
      .add_json("mean_class_interval", interval(a.mean_class_interval))
      .text();
}

std::string json_of(const ConfidenceBin& bin) {
  return JsonObject()
      .add("low", bin.low)
      .add("high", bin.high)
      .add("videos", bin.right.trials)
      .add("accuracy", bin.right.share())
      .add_json("confidence", bin.right.trials > 0 ? json_number(bin.confidence) : "null")
      .text();
}

std::string json_of(const LengthGroup& group) {
  return JsonObject()
      .add("least", group.least)
      .add("most", group.most)
      .add("videos", group.top1.trials)
      .add("top1", group.top1.share())
      .add_json("top1_interval", json_of(wilson_interval(group.top1)))
      .add("top5", group.top5.share())
      .text();
}

std::string json_of(const EntryRemark& remark) {
  return JsonObject()
      .add("entry", remark.entry)
      .add("origin", remark.origin)
      .add("reason", remark.text)
      .text();
}

std::string classes_json(const EvaluationResults& r) {
  std::vector<std::size_t> order(r.summary.classes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return json_array(order, [&](std::size_t k) {
    const ClassAccuracy& c = r.summary.classes[k];
    return JsonObject()
        .add("index", k)
        .add("label", r.run.classes[k])
        .add("videos", c.videos)
        .add("failed", c.failed)
        .add("top1_hits", c.hits)
        .add("top5_hits", c.hits5)
        .add("guesses", c.guesses)
        .add("recall", Proportion{c.hits, c.videos}.share())
        .add_json("recall_interval", json_of(wilson_interval({c.hits, c.videos})))
        .add("precision", Proportion{c.hits, c.guesses}.share())
        .text();
  });
}

/// [label, guess, videos] of what is not zero.
std::string confusion_json(const EvaluationResults& r) {
  const std::size_t classes = r.run.classes.size();
  std::vector<std::string> cells;
  for (std::size_t i = 0; i < r.summary.confusion.size(); ++i) {
    if (r.summary.confusion[i] == 0) continue;
    cells.push_back("[" + std::to_string(i / classes) + "," + std::to_string(i % classes) + "," +
                    std::to_string(r.summary.confusion[i]) + "]");
  }
  return json_array(cells, [](const std::string& cell) { return cell; });
}

std::string json_of(const Comparison& c) {
  const auto difference = [](const ScoreDifference& d) {
    return JsonObject()
        .add("path", d.path)
        .add("label", d.label)
        .add("largest", d.largest)
        .add("class", d.of_class)
        .add("guess", d.guess)
        .add("other_guess", d.other_guess)
        .text();
  };
  return JsonObject()
      .add("with", c.name)
      .add("videos", c.videos)
      .add("only_here", c.only_here)
      .add("only_there", c.only_there)
      .add("failed_here", c.failed_here)
      .add("failed_there", c.failed_there)
      .add("top1_here", c.here.share())
      .add("top1_there", c.there.share())
      .add("agreement", c.agreement.share())
      .add("right_only_here", c.right_here)
      .add("right_only_there", c.right_there)
      .add("mcnemar_p", c.p_value)
      .add("mean_difference", c.mean_difference)
      .add_json("largest_differences", json_array(c.largest, difference))
      .text();
}

}  // namespace

std::string protocol_text(const EvaluationRun& run) {
  return run.protocol + ": " + std::to_string(run.clips) + "x" + std::to_string(run.crops) + " views of " +
         std::to_string(run.crop_size) + " (short side " + std::to_string(run.short_side) + "), mean of " +
         (run.gives_probabilities() ? "probabilities" : "scores") + ", " + run.precision;
}

std::string class_name(const EvaluationRun& run, std::int64_t index) {
  const std::string& name = run.classes.at(static_cast<std::size_t>(index));
  return name.empty() ? "class " + std::to_string(index) : name;
}

std::string results_text(const EvaluationResults& r) {
  const EvaluationSummary& s = r.summary;
  std::string text = r.run.model + " on " + r.run.list + "\n" + protocol_text(r.run);
  if (r.run.shard.count > 1) text += "; part " + r.run.shard.text() + " of the list";
  text += "\n\n" + accuracy_lines("All entries", s.all);
  if (s.failed > 0) {
    text += accuracy_lines("Readable videos", s.readable);
    text += std::to_string(s.failed) + (s.failed == 1 ? " entry" : " entries") + " could not be used and " +
            (s.failed == 1 ? "counts" : "count") + " as wrong among all.\n";
  }
  if (s.damaged > 0) text += count_of(s.damaged, "video") + " used in spite of damage.\n";
  if (s.brief > 0) text += count_of(s.brief, "video") + " shorter than a clip, so that frames repeat.\n";
  text += "\nCalibration error " + percents(s.calibration_error) + "\n" + length_lines(s) + worst_classes(r) +
          confusion_lines(r);
  if (r.comparison) text += comparison_lines(*r.comparison);
  return text;
}

std::string results_json(const EvaluationResults& r) {
  const EvaluationSummary& s = r.summary;
  JsonObject object;
  object.add("model", r.run.model)
      .add("protocol", r.run.protocol)
      .add("clips", r.run.clips)
      .add("crops", r.run.crops)
      .add("short_side", r.run.short_side)
      .add("crop_size", r.run.crop_size)
      .add("averaging", r.run.averaging)
      .add("precision", r.run.precision)
      .add("list", r.run.list)
      .add("shard", r.run.shard.text())
      .add("entries", s.entries)
      .add("failed", s.failed)
      .add("damaged", s.damaged)
      .add("short", s.brief)
      .add_json("all", json_of(s.all))
      .add_json("readable", json_of(s.readable))
      .add("calibration_error", s.calibration_error)
      .add_json("calibration",
                json_array(s.calibration, [](const ConfidenceBin& bin) { return json_of(bin); }))
      .add("length_unit", s.length_in_seconds ? "seconds" : "frames")
      .add_json("lengths", json_array(s.lengths, [](const LengthGroup& group) { return json_of(group); }))
      .add_json("classes", classes_json(r))
      .add_json("confusion", confusion_json(r))
      .add_json("failures", json_array(s.failures, [](const EntryRemark& remark) { return json_of(remark); }))
      .add_json("remarks", json_array(s.remarks, [](const EntryRemark& remark) { return json_of(remark); }));
  if (r.comparison) object.add_json("comparison", json_of(*r.comparison));
  return object.text() + '\n';
}

}  // namespace tpn
