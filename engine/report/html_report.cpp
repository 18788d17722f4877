#include "engine/report/html_report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string_view>
#include <utility>

#include "engine/model/output_file.h"
#include "engine/report/chart.h"
#include "engine/report/class_scores.h"
#include "engine/report/html_text.h"
#include "engine/report/json_text.h"
#include "engine/report/page.h"
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

std::string class_name(const FinetuneReport& report, std::size_t label) {
  const std::string& name = report.classes[label];
  return name.empty() ? "class " + std::to_string(label) : name;
}

std::string class_html(const FinetuneReport& report, std::size_t label) {
  return "<span class=\"name\">" + html(class_name(report, label)) + "</span>";
}

std::string clips(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " clip" : " clips");
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

std::string tile(const std::string& value, const std::string& name, const std::string& note) {
  return "<div class=\"card tile\"><b>" + value + "</b><span>" + name + "</span><small>" + note +
         "</small></div>\n";
}

std::string tiles(const FinetuneReport& report) {
  const ReportEpoch* epoch = shown_epoch(report);
  if (epoch == nullptr) return {};
  const std::string when =
      (epoch->epoch == report.best_epoch ? "best epoch, " : "epoch ") + std::to_string(epoch->epoch);
  std::string text = "<div class=\"tiles\">\n";
  text += tile(percent(epoch->top1), "top-1 accuracy", when);
  text += tile(percent(epoch->top5), "top-5 accuracy", when);
  text += tile(percent(epoch->mean_class_accuracy), "mean class accuracy", when);
  text += tile(significant(epoch->validation_loss), "validation loss",
               "in training " + significant(epoch->train_loss));
  return text + "</div>\n";
}

std::string head(const FinetuneReport& report) {
  std::string text = "<header>\n<h1>" + html(report.title) + "</h1>\n";
  if (!report.subtitle.empty()) text += "<p class=\"subtitle\">" + html(report.subtitle) + "</p>\n";
  text += tiles(report);
  if (!report.facts.empty()) {
    text += "<dl class=\"card facts\">\n";
    for (const ReportFact& fact : report.facts) {
      text += "<div><dt>" + html(fact.name) + "</dt><dd>" + html(fact.value) + "</dd></div>\n";
    }
    text += "</dl>\n";
  }
  for (const ReportNote& note : report.notes) {
    text += std::string("<p class=\"note") +
            (note.warning ? " warning\"><b>Warning</b> " : "\"><b>Note</b> ") + html(note.text) + "</p>\n";
  }
  return text + "</header>\n";
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

/// {"classes": names, "cells": [row, column, count, ...]} of the elements that are not zero.
std::string confusion_json(const FinetuneReport& report) {
  const std::size_t classes = report.classes.size();
  std::vector<std::int64_t> cells;
  for (std::size_t i = 0; i < report.confusion.size(); ++i) {
    if (report.confusion[i] == 0) continue;
    cells.insert(cells.end(), {static_cast<std::int64_t>(i / classes), static_cast<std::int64_t>(i % classes),
                               report.confusion[i]});
  }
  std::vector<std::size_t> labels(classes);
  std::iota(labels.begin(), labels.end(), std::size_t{0});
  const auto name = [&](std::size_t label) { return json_string(class_name(report, label)); };
  return JsonObject()
      .add_json("classes", json_array(labels, name))
      .add_json("cells", json_array(cells, [](std::int64_t value) { return std::to_string(value); }))
      .text();
}

std::string confusions(const FinetuneReport& report, const std::vector<ClassScore>& scores) {
  constexpr std::size_t most = 12;
  std::string text = "<section id=\"confusions\">\n<h2>What was taken for what</h2>\n<div class=\"split\">\n";
  text +=
      "<div class=\"card matrix\">\n"
      "<div class=\"tools\"><span>Rows: what a clip is. Columns: what it was taken for.</span>"
      "<button type=\"button\" data-zoom=\"in\" aria-label=\"Zoom in\">+</button>"
      "<button type=\"button\" data-zoom=\"out\" aria-label=\"Zoom out\">−</button>"
      "<button type=\"button\" data-zoom=\"all\">All</button></div>\n"
      "<canvas role=\"img\" aria-label=\"Confusion matrix; the table of classes has its figures\"></canvas>\n"
      "<p class=\"caption readout\" aria-live=\"polite\">Point at a cell, or choose a pair.</p>\n"
      "<noscript><p class=\"caption\">The matrix is drawn by a script; the tables do "
      "without.</p></noscript>\n"
      "<script type=\"application/json\">" +
      confusion_json(report) + "</script>\n</div>\n";
  text += "<div class=\"card pairs\">\n<h3>Most frequent</h3>\n";
  const auto pairs = largest_confusions(report.confusion, scores.size(), most);
  if (pairs.empty()) text += "<p class=\"caption\">No clip was taken for another class.</p>\n";
  if (!pairs.empty()) text += "<ol>\n";
  for (const Confusion& pair : pairs) {
    const double share = static_cast<double>(pair.count) / static_cast<double>(scores[pair.label].samples);
    text += "<li data-row=\"" + std::to_string(pair.label) + "\" data-column=\"" +
            std::to_string(pair.guess) + "\">" + class_html(report, pair.label) +
            "<span class=\"arrow\">→</span>" + class_html(report, pair.guess) + "<small>" +
            std::to_string(pair.count) + " of " + clips(scores[pair.label].samples) + ", " + percent(share) +
            "</small></li>\n";
  }
  if (!pairs.empty()) text += "</ol>\n";
  return text + "</div>\n</div>\n</section>\n";
}

/// A cell of a table whose rows can be sorted by `value`.
std::string cell(double value, const std::string& shown, bool bar = false) {
  std::string text =
      "<td class=\"number\" data-value=\"" + (std::isfinite(value) ? json_number(value) : "-1");
  text += "\">" + shown;
  if (bar && std::isfinite(value))
    text += "<i class=\"bar\"><i style=\"width:" + fixed(100 * value, 1) + "%\"></i></i>";
  return text + "</td>";
}

std::string class_row(const FinetuneReport& report, const ClassScore& score, std::size_t label) {
  const auto count = [](std::int64_t value) {
    return cell(static_cast<double>(value), std::to_string(value));
  };
  std::string text =
      "<tr><td data-value=\"" + std::to_string(label) + "\">" + class_html(report, label) + "</td>";
  text += cell(score.recall(), percent(score.recall()), true) +
          cell(score.precision(), percent(score.precision()), true) + count(score.samples);
  if (!report.train_samples.empty()) text += count(report.train_samples[label]);
  text += "<td>";
  if (const auto worst = largest_confusion_of(report.confusion, report.classes.size(), label)) {
    text += class_html(report, worst->guess) + " <small>" + std::to_string(worst->count) + "</small>";
  }
  return text + "</td></tr>\n";
}

/// The classes with the lowest recall first, those without clips last.
std::string class_table(const FinetuneReport& report, const std::vector<ClassScore>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t label) {
    return scores[label].samples == 0 ? 2.0 : scores[label].recall();
  });
  std::string text =
      "<section id=\"classes\">\n<h2>Classes</h2>\n<div class=\"card\">\n"
      "<div class=\"tools\"><input type=\"search\" placeholder=\"Find a class\" aria-label=\"Find a class\">"
      "<span class=\"count\">" +
      std::to_string(scores.size()) + " classes</span></div>\n<div class=\"scroll\"><table>\n<thead><tr>";
  std::vector<std::string> names = {"Class", "Recall", "Precision", "Validation clips"};
  if (!report.train_samples.empty()) names.emplace_back("Training clips");
  for (const std::string& name : names) {
    text += "<th scope=\"col\"" + std::string(name == "Recall" ? " aria-sort=\"ascending\"" : "") +
            "><button type=\"button\">" + name + "</button></th>";
  }
  text += "<th scope=\"col\">Mostly taken for</th></tr></thead>\n<tbody>\n";
  for (const std::size_t label : order) text += class_row(report, scores[label], label);
  return text +
         "</tbody>\n</table></div>\n<p class=\"caption\">Recall: how many clips of the class are recognised. "
         "Precision: how often a guess of the class is right.</p>\n</div>\n</section>\n";
}

// ---------------------------------------------------------------- clips, recipe

std::string guess_item(const FinetuneReport& report, const ReportGuess& guess, std::int64_t label) {
  const bool right = guess.label == label;
  return std::string("<li class=\"") + (right ? "right" : "wrong") +
         "\"><i style=\"width:" + fixed(100 * std::clamp(guess.score, 0.0, 1.0), 1) + "%\"></i>" +
         class_html(report, static_cast<std::size_t>(guess.label)) + "<small>" + percent(guess.score) +
         "</small></li>\n";
}

std::string clip_card(const FinetuneReport& report, const ReportClip& clip) {
  std::string text = "<article class=\"card clip\">\n";
  if (clip.thumbnail.empty()) {
    text += "<div class=\"picture\">no picture</div>\n";
  } else {
    text += "<img class=\"picture\" alt=\"A frame of " + html(clip.name) + "\" src=\"" +
            image_source(clip.thumbnail, clip.name) + "\">\n";
  }
  text += "<h3>" + class_html(report, static_cast<std::size_t>(clip.label)) + "</h3>\n<ol>\n";
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

constexpr std::string_view page_head =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'nonce-report'\">\n";

}  // namespace

void write_html_report(const FinetuneReport& report, const std::filesystem::path& path) {
  check(report);
  OutputFile file(path);
  file.write(page_head);
  file.write("<title>" + html(report.title) + "</title>\n<style>\n");
  file.write(page_style);
  file.write("</style>\n</head>\n<body>\n<main>\n");
  file.write(head(report));
  file.write(curves(report));
  if (!report.confusion.empty()) {
    const std::vector<ClassScore> scores = class_scores(report.confusion, report.classes.size());
    file.write(confusions(report, scores));
    file.write(class_table(report, scores));
  }
  if (!report.hardest.empty()) {
    file.write("<section id=\"hardest\">\n<h2>Hardest clips</h2>\n<div class=\"clips\">\n");
    for (const ReportClip& clip : report.hardest) file.write(clip_card(report, clip));
    file.write("</div>\n</section>\n");
  }
  file.write(recipe(report));
  file.write("</main>\n<script nonce=\"report\">\n");
  file.write(page_script);
  file.write("</script>\n</body>\n</html>\n");
  file.commit();
}

}  // namespace tpn
