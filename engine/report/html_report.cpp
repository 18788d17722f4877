#include "engine/report/html_report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "engine/report/chart.h"
#include "engine/report/class_section.h"
#include "engine/report/html_page.h"
#include "engine/report/html_text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw Error("The report cannot be written: " + what + ".");
}

void check_label(const FinetuneReport& report, std::int64_t label, const std::string& where) {
  if (label >= 0 && static_cast<std::size_t>(label) < report.classes.size()) return;
  fail(where + " is of class " + std::to_string(label) + ", and there are " +
       std::to_string(report.classes.size()) + " classes");
}

void check(const FinetuneReport& report) {
  const std::size_t classes = report.classes.size();
  if (!report.confusion.empty() && report.confusion.size() != classes * classes) {
    fail("the confusion matrix has " + std::to_string(report.confusion.size()) + " elements for " +
         std::to_string(classes) + " classes");
  }
  if (!report.train_samples.empty() && report.train_samples.size() != classes) {
    fail(std::to_string(report.train_samples.size()) + " numbers of samples are given for " +
         std::to_string(classes) + " classes");
  }
  for (const ReportStep& step : report.steps) {
    if (step.losses.size() != report.loss_names.size()) {
      fail("step " + std::to_string(step.step) + " has " + std::to_string(step.losses.size()) +
           " losses, and there are " + std::to_string(report.loss_names.size()));
    }
  }
  for (const ReportClip& clip : report.hardest) {
    check_label(report, clip.label, clip.name);
    for (const ReportGuess& guess : clip.guesses) {
      check_label(report, guess.label, "a guess for " + clip.name);
    }
  }
}

/// A row of the steps or epochs as what a chart draws.
template <class Row, class Value>
std::vector<double> column(const std::vector<Row>& rows, const Value& value) {
  std::vector<double> values;
  values.reserve(rows.size());
  for (const Row& row : rows) values.push_back(static_cast<double>(std::invoke(value, row)));
  return values;
}

// ---------------------------------------------------------------- head

/// The epoch whose model was kept; without one, the last that was validated.
const ReportEpoch* shown_epoch(const FinetuneReport& report) {
  const auto best = std::ranges::find(report.epochs, report.best_epoch, &ReportEpoch::epoch);
  if (best != report.epochs.end()) return &*best;
  const auto last = std::find_if(report.epochs.rbegin(), report.epochs.rend(),
                                 [](const ReportEpoch& epoch) { return std::isfinite(epoch.top1); });
  return last == report.epochs.rend() ? nullptr : &*last;
}

ReportHead head(const FinetuneReport& report) {
  ReportHead head{report.title, report.subtitle, {}, report.facts, report.notes};
  const ReportEpoch* epoch = shown_epoch(report);
  if (epoch == nullptr) return head;
  const std::string when =
      (epoch->epoch == report.best_epoch ? "best epoch, " : "epoch ") + std::to_string(epoch->epoch);
  head.tiles = {{percent(epoch->top1), "top-1 accuracy", when},
                {percent(epoch->top5), "top-5 accuracy", when},
                {percent(epoch->mean_class_accuracy), "mean class accuracy", when},
                {significant(epoch->validation_loss), "validation loss",
                 "in training " + significant(epoch->train_loss)}};
  return head;
}

// ---------------------------------------------------------------- curves

Chart by_step(const FinetuneReport& report, std::string id, std::string title) {
  Chart chart{.id = std::move(id), .title = std::move(title), .x_name = "step"};
  chart.x = column(report.steps, [](const ReportStep& step) { return step.step; });
  return chart;
}

Chart by_epoch(const FinetuneReport& report, std::string id, std::string title) {
  Chart chart{.id = std::move(id), .title = std::move(title), .x_name = "epoch"};
  chart.x = column(report.epochs, [](const ReportEpoch& epoch) { return epoch.epoch; });
  if (std::ranges::count(report.epochs, report.best_epoch, &ReportEpoch::epoch) > 0) {
    chart.mark = static_cast<double>(report.best_epoch);
    chart.mark_name = "best";
  }
  return chart;
}

std::string waiting_caption(const FinetuneReport& report) {
  double waited = 0;
  double all = 0;
  std::int64_t waiting = 0;
  for (const ReportStep& step : report.steps) {
    if (!std::isfinite(step.data_seconds) || !std::isfinite(step.step_seconds)) continue;
    waited += step.data_seconds;
    all += step.step_seconds;
    if (step.data_seconds > 0.01 * step.step_seconds) ++waiting;
  }
  return std::to_string(waiting) + " of " + std::to_string(report.steps.size()) +
         " steps waited for data more than 1 % of their time, all together " + percent(waited / all) + ".";
}

std::vector<Chart> charts(const FinetuneReport& report) {
  std::vector<Chart> all;
  Chart accuracy = by_epoch(report, "accuracy", "Validation accuracy");
  accuracy.series = {{"top-1", column(report.epochs, &ReportEpoch::top1)},
                     {"top-5", column(report.epochs, &ReportEpoch::top5)},
                     {"mean class accuracy", column(report.epochs, &ReportEpoch::mean_class_accuracy)}};
  accuracy.shares = true;
  accuracy.caption = "Mean class accuracy counts every class the same, however many clips it has.";
  all.push_back(std::move(accuracy));

  Chart losses = by_epoch(report, "losses", "Loss by epoch");
  losses.series = {{"training", column(report.epochs, &ReportEpoch::train_loss)},
                   {"validation", column(report.epochs, &ReportEpoch::validation_loss)}};
  losses.caption = "Validation that rises while training falls: the model learns the clips by heart.";
  all.push_back(std::move(losses));

  Chart terms = by_step(report, "loss", "Loss by step");
  for (std::size_t i = 0; i < report.loss_names.size(); ++i) {
    terms.series.push_back(
        {report.loss_names[i], column(report.steps, [i](const ReportStep& step) { return step.losses[i]; })});
  }
  terms.noisy = true;
  terms.caption = "Smoothed; what the steps had stands pale behind.";
  all.push_back(std::move(terms));

  Chart rate = by_step(report, "rate", "Learning rate");
  rate.series = {{"learning rate", column(report.steps, &ReportStep::learning_rate)}};
  all.push_back(std::move(rate));

  Chart norm = by_step(report, "norm", "Gradient norm");
  norm.series = {{"gradient norm", column(report.steps, &ReportStep::gradient_norm)}};
  norm.noisy = true;
  norm.any_magnitude = true;
  norm.caption = "Before clipping.";
  all.push_back(std::move(norm));

  const auto milliseconds = [](auto member) {
    return [member](const ReportStep& step) { return 1000 * (step.*member); };
  };
  Chart time = by_step(report, "time", "Milliseconds a step");
  time.series = {{"step", column(report.steps, milliseconds(&ReportStep::step_seconds))},
                 {"of it, waiting for data", column(report.steps, milliseconds(&ReportStep::data_seconds))}};
  time.noisy = true;
  time.caption = waiting_caption(report);
  all.push_back(std::move(time));
  return all;
}

std::string curves(const FinetuneReport& report) {
  std::string text;
  for (const Chart& chart : charts(report)) text += chart_html(chart);
  if (text.empty()) return {};
  return "<section id=\"curves\">\n<h2>Curves</h2>\n<div class=\"charts\">\n" + text + "</div>\n</section>\n";
}

// ---------------------------------------------------------------- classes

ClassSection classes(const FinetuneReport& report) {
  ClassSection section{report.classes, report.confusion, "Validation clips", {}};
  if (!report.train_samples.empty()) section.columns.push_back({"Training clips", report.train_samples});
  return section;
}

// ---------------------------------------------------------------- clips, recipe

std::string guess_item(const FinetuneReport& report, const ReportGuess& guess, std::int64_t label) {
  const bool right = guess.label == label;
  return std::string("<li class=\"") + (right ? "right" : "wrong") +
         "\"><i style=\"width:" + fixed(100 * std::clamp(guess.score, 0.0, 1.0), 1) + "%\"></i>" +
         class_html(report.classes, static_cast<std::size_t>(guess.label)) + "<small>" +
         percent(guess.score) + "</small></li>\n";
}

std::string clip_card(const FinetuneReport& report, const ReportClip& clip) {
  std::string text = "<article class=\"card clip\">\n";
  if (clip.thumbnail.empty()) {
    text += "<div class=\"picture\">no picture</div>\n";
  } else {
    text += "<img class=\"picture\" alt=\"A frame of " + html(clip.name) + "\" src=\"" +
            image_source(clip.thumbnail, clip.name) + "\">\n";
  }
  text += "<h3>" + class_html(report.classes, static_cast<std::size_t>(clip.label)) + "</h3>\n<ol>\n";
  for (const ReportGuess& guess : clip.guesses) text += guess_item(report, guess, clip.label);
  text += "</ol>\n<p class=\"file\"><span>" + html(clip.name) + "</span>";
  if (std::isfinite(clip.loss)) text += "<span>loss " + significant(clip.loss) + "</span>";
  return text + "</p>\n</article>\n";
}

std::string recipe(const FinetuneReport& report) {
  if (report.recipe.empty()) return {};
  return "<section id=\"recipe\">\n<h2>Recipe</h2>\n<details class=\"card\"><summary>All options of this "
         "run, as "
         "JSON</summary>\n<pre>" +
         html(report.recipe) + "</pre></details>\n</section>\n";
}

}  // namespace

void write_html_report(const FinetuneReport& report, const std::filesystem::path& path) {
  check(report);
  HtmlPage page(path, head(report));
  page.write(curves(report));
  if (!report.confusion.empty()) page.write(class_sections_html(classes(report)));
  if (!report.hardest.empty()) {
    page.write("<section id=\"hardest\">\n<h2>Hardest clips</h2>\n<div class=\"clips\">\n");
    for (const ReportClip& clip : report.hardest) page.write(clip_card(report, clip));
    page.write("</div>\n</section>\n");
  }
  page.write(recipe(report));
  page.finish();
}

}  // namespace tpn
