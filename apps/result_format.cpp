#include "apps/result_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace tpn::app {
namespace {

using nlohmann::ordered_json;

/// The double with the shortest decimal form that is still this float, so that JSON shows no digits that the
/// float does not have.
double shortest(float value) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  double result = 0;
  std::from_chars(text.data(), written.ptr, result);
  return result;
}

/// To thousandths, which are microseconds of times in ms.
double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

/// Names of files need not be UTF-8.
std::string line_of(const ordered_json& object) {
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string json_line(const Recognition& r, const ResultFormat& format) {
  ordered_json object{{"input", r.input}};
  if (r.frames > 0) {
    object["frames"] = r.frames;
    object["fps"] = r.fps;
    object["duration"] = r.duration;
  }
  object["views"] = r.views();
  object["clips"] = r.clips;
  object["crops"] = r.crops;
  object["top"] = ordered_json::array();
  for (const Prediction& p : r.top(format.top)) {
    object["top"].push_back({{"label", p.label.empty() ? ordered_json() : ordered_json(p.label)},
                             {"index", p.index},
                             {"score", shortest(p.score)}});
  }
  if (format.all_scores) {
    object["scores"] = ordered_json::array();
    for (const float score : r.scores) object["scores"].push_back(shortest(score));
  }
  const Timings& t = r.timings;
  object["timings"] = {{"decode", rounded(t.decode)},       {"convert", rounded(t.convert)},
                       {"resize", rounded(t.resize)},       {"transform", rounded(t.transform)},
                       {"inference", rounded(t.inference)}, {"total", rounded(t.total)}};
  if (!r.warnings.empty()) object["warnings"] = r.warnings;
  if (!format.run.empty()) object["run"] = format.run;
  return line_of(object);
}

template <class... Arguments>
std::string print(const char* format, Arguments... arguments) {
  std::array<char, 128> text{};
  const int length = std::snprintf(text.data(), text.size(), format, arguments...);
  return {text.data(), static_cast<std::size_t>(std::clamp(length, 0, static_cast<int>(text.size()) - 1))};
}

std::string text_lines(const Recognition& r, const ResultFormat& format) {
  std::string text = r.input + "  (";
  if (r.frames > 0) text += std::to_string(r.frames) + " frames, ";
  if (r.duration > 0) text += print("%.1f s, ", r.duration);
  text += print("%dx%d views, classified in %.2f s)\n", r.clips, r.crops, r.timings.total / 1000);
  for (const Prediction& p : r.top(format.top)) {
    text += print("  %.4f  ", static_cast<double>(p.score));
    text += (p.label.empty() ? std::to_string(p.index) : p.label) + "\n";
  }
  if (format.all_scores) {
    text += "  scores:";
    for (const float score : r.scores) text += print(" %.6g", static_cast<double>(score));
    text += "\n";
  }
  return text;
}

}  // namespace

std::string shown_name(const std::string& name) {
  const std::string text = ordered_json(name).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  return ordered_json::parse(text).get<std::string>();
}

std::string format_result(const Recognition& recognition, const ResultFormat& format) {
  return format.json ? json_line(recognition, format) : text_lines(recognition, format);
}

std::string format_failure(const std::string& input, const std::string& error, const ResultFormat& format) {
  if (!format.json) return {};
  ordered_json object{{"input", input}, {"error", error}};
  if (!format.run.empty()) object["run"] = format.run;
  return line_of(object);
}

}  // namespace tpn::app
