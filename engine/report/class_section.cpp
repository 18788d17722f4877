#include "engine/report/class_section.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/report/class_scores.h"
#include "engine/report/html_table.h"
#include "engine/report/html_text.h"
#include "engine/report/json_text.h"

namespace tpn {
namespace {

std::string class_name(std::span<const std::string> classes, std::size_t label) {
  const std::string& name = classes[label];
  return name.empty() ? "class " + std::to_string(label) : name;
}

std::string clips(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " clip" : " clips");
}

/// {"classes": names, "cells": [row, column, count, ...]} of the elements that are not zero.
std::string confusion_json(const ClassSection& section) {
  const std::size_t classes = section.classes.size();
  std::vector<std::int64_t> cells;
  for (std::size_t i = 0; i < section.confusion.size(); ++i) {
    if (section.confusion[i] == 0) continue;
    cells.insert(cells.end(), {static_cast<std::int64_t>(i / classes), static_cast<std::int64_t>(i % classes),
                               section.confusion[i]});
  }
  std::vector<std::size_t> labels(classes);
  std::iota(labels.begin(), labels.end(), std::size_t{0});
  const auto name = [&](std::size_t label) { return json_string(class_name(section.classes, label)); };
  return JsonObject()
      .add_json("classes", json_array(labels, name))
      .add_json("cells", json_array(cells, [](std::int64_t value) { return std::to_string(value); }))
      .text();
}

std::string confusions(const ClassSection& section, const std::vector<ClassScore>& scores) {
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
      confusion_json(section) + "</script>\n</div>\n";
  text += "<div class=\"card pairs\">\n<h3>Most frequent</h3>\n";
  const auto pairs = largest_confusions(section.confusion, scores.size(), most);
  if (pairs.empty()) text += "<p class=\"caption\">No clip was taken for another class.</p>\n";
  if (!pairs.empty()) text += "<ol>\n";
  for (const Confusion& pair : pairs) {
    const double share = static_cast<double>(pair.count) / static_cast<double>(scores[pair.label].samples);
    text += "<li data-row=\"" + std::to_string(pair.label) + "\" data-column=\"" +
            std::to_string(pair.guess) + "\">" + class_html(section.classes, pair.label) +
            "<span class=\"arrow\">→</span>" + class_html(section.classes, pair.guess) + "<small>" +
            std::to_string(pair.count) + " of " + clips(scores[pair.label].samples) + ", " + percent(share) +
            "</small></li>\n";
  }
  if (!pairs.empty()) text += "</ol>\n";
  return text + "</div>\n</div>\n</section>\n";
}

/// A cell of a table whose rows can be sorted by `value`.
std::string cell(double value, const std::string& shown, const std::string& below = {}) {
  std::string text =
      "<td class=\"number\" data-value=\"" + (std::isfinite(value) ? json_number(value) : "-1");
  return text + "\">" + shown + below + "</td>";
}

std::string class_row(const ClassSection& section, const ClassScore& score, std::size_t label) {
  const auto count = [](std::int64_t value) {
    return cell(static_cast<double>(value), std::to_string(value));
  };
  std::string text =
      "<tr><td data-value=\"" + std::to_string(label) + "\">" + class_html(section.classes, label) + "</td>";
  const auto share = [](double value) { return cell(value, percent(value), bar(value)); };
  text += share(score.recall()) + share(score.precision()) + count(score.samples);
  for (const ClassColumn& column : section.columns) text += count(column.counts[label]);
  text += "<td>";
  if (const auto worst = largest_confusion_of(section.confusion, section.classes.size(), label)) {
    text +=
        class_html(section.classes, worst->guess) + " <small>" + std::to_string(worst->count) + "</small>";
  }
  return text + "</td></tr>\n";
}

/// The classes with the lowest recall first, those without clips last.
std::string class_table(const ClassSection& section, const std::vector<ClassScore>& scores) {
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
  std::vector<std::string> names = {"Class", "Recall", "Precision", section.clips_name};
  for (const ClassColumn& column : section.columns) names.push_back(column.name);
  for (const std::string& name : names) {
    text += "<th scope=\"col\"" + std::string(name == "Recall" ? " aria-sort=\"ascending\"" : "") +
            "><button type=\"button\">" + name + "</button></th>";
  }
  text += "<th scope=\"col\">Mostly taken for</th></tr></thead>\n<tbody>\n";
  for (const std::size_t label : order) text += class_row(section, scores[label], label);
  return text +
         "</tbody>\n</table></div>\n<p class=\"caption\">Recall: how many clips of the class are recognised. "
         "Precision: how often a guess of the class is right.</p>\n</div>\n</section>\n";
}

}  // namespace

std::string class_html(std::span<const std::string> classes, std::size_t label) {
  return "<span class=\"name\">" + html(class_name(classes, label)) + "</span>";
}

std::string class_sections_html(const ClassSection& section) {
  const std::vector<ClassScore> scores = class_scores(section.confusion, section.classes.size());
  return confusions(section, scores) + class_table(section, scores);
}

}  // namespace tpn
