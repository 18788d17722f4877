#include "engine/report/chart.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "engine/report/html_text.h"
#include "engine/report/json_text.h"

namespace tpn {
namespace {

constexpr std::size_t most_points = 400;
constexpr double canvas = 1000;  // units of the SVG on each side
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double missing = std::numeric_limits<double>::quiet_NaN();

/// Neighbouring values of a series.
struct Point {
  double mean = missing;
  double low = infinity;
  double high = -infinity;
  [[nodiscard]] bool exists() const { return !std::isnan(mean); }
};

struct Line {
  std::vector<Point> points;
  std::vector<double> shown;  ///< the means, smoothed where the chart is noisy
};

/// A chart with at most most_points positions.
struct Thinned {
  std::vector<std::pair<double, double>> x;  ///< first and last of each position
  std::vector<Line> lines;
  bool joined = false;
};

Point joined(const Chart& chart, const std::vector<double>& values, std::size_t begin, std::size_t end) {
  Point point;
  double sum = 0;
  int count = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const double value = chart.shares ? 100 * values[i] : values[i];
    if (!std::isfinite(value)) continue;
    sum += value;
    ++count;
    point.low = std::min(point.low, value);
    point.high = std::max(point.high, value);
  }
  if (count > 0) point.mean = sum / count;
  return point;
}

/// Moving average whose weights fall by a constant factor, without the pull of its start.
template <class Iterator>
std::vector<double> trailing_mean(Iterator begin, const Iterator& end, double keep) {
  std::vector<double> line;
  double sum = 0;
  double weight = 0;
  for (; begin != end; ++begin) {
    if (begin->exists()) {
      sum = keep * sum + (1 - keep) * begin->mean;
      weight = keep * weight + (1 - keep);
    }
    line.push_back(begin->exists() ? sum / weight : missing);
  }
  return line;
}

/// From both sides, so that the line does not lag behind.
std::vector<double> smoothed(const std::vector<Point>& points) {
  constexpr double windows = 40;  // in the width of a chart
  const double keep = 1 - std::min(1.0, windows / static_cast<double>(points.size()));
  std::vector<double> line = trailing_mean(points.begin(), points.end(), keep);
  const std::vector<double> back = trailing_mean(points.rbegin(), points.rend(), keep);
  for (std::size_t i = 0; i < line.size(); ++i) line[i] = (line[i] + back[line.size() - 1 - i]) / 2;
  return line;
}

Thinned thinned(const Chart& chart) {
  Thinned result;
  const std::size_t count = chart.x.size();
  const std::size_t width = (count + most_points - 1) / most_points;
  result.joined = width > 1;
  result.lines.resize(chart.series.size());
  for (std::size_t begin = 0; begin < count; begin += width) {
    const std::size_t end = std::min(count, begin + width);
    result.x.emplace_back(chart.x[begin], chart.x[end - 1]);
    for (std::size_t s = 0; s < chart.series.size(); ++s) {
      result.lines[s].points.push_back(joined(chart, chart.series[s].values, begin, end));
    }
  }
  for (Line& line : result.lines) {
    if (chart.noisy) {
      line.shown = smoothed(line.points);
    } else {
      for (const Point& point : line.points) line.shown.push_back(point.mean);
    }
  }
  return result;
}

/// 1, 2 or 5 times a power of ten, not below `least`.
double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

struct Tick {
  double at = 0;  ///< 0 to 1 along the axis
  std::string text;
};

/// From values to places on an axis, 0 to 1.
struct Scale {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<Tick> ticks;

  [[nodiscard]] double at(double value) const {
    if (logarithmic) return (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low));
    return (value - low) / (high - low);
  }
};

Scale value_scale(const Chart& chart, const Thinned& thin) {
  double low = infinity;
  double high = -infinity;
  for (const Line& line : thin.lines) {
    for (const Point& point : line.points) {
      low = std::min(low, point.low);
      high = std::max(high, point.high);
    }
  }
  Scale scale;
  if (chart.any_magnitude && low > 0 && high > 100 * low) {
    scale.logarithmic = true;
    scale.low = std::pow(10.0, std::floor(std::log10(low)));
    scale.high = std::pow(10.0, std::ceil(std::log10(high)));
    const double decades = std::log10(scale.high / scale.low);
    const int apart = std::max(1, static_cast<int>(std::lround(decades / 4)));
    for (int decade = 0; decade <= std::lround(decades); decade += apart) {
      const double value = scale.low * std::pow(10.0, decade);
      scale.ticks.push_back({scale.at(value), significant(value)});
    }
    return scale;
  }
  if (chart.shares) {
    low = 0;
    high = 100;
  } else if (low > 0 && (chart.from_zero || low < 0.6 * high)) {
    low = 0;  // a part of the way to zero would make differences look larger than they are
  }
  if (high <= low) high = low + (low == 0 ? 1 : std::abs(low));
  const double step = chart.shares ? 25 : round_step((high - low) / 4);
  scale.low = step * std::floor(low / step + 1e-9);
  scale.high = step * std::ceil(high / step - 1e-9);
  const int count = static_cast<int>(std::lround((scale.high - scale.low) / step));
  for (int i = 0; i <= count; ++i) {
    const double value = scale.low + i * step;
    const double clean = std::abs(value) < 1e-9 * step ? 0 : value;
    scale.ticks.push_back({scale.at(clean), significant(clean) + (chart.shares ? " %" : "")});
  }
  return scale;
}

Scale x_scale(const Thinned& thin) {
  Scale scale;
  scale.low = thin.x.front().first;
  scale.high = thin.x.back().second;
  if (scale.high <= scale.low) {
    scale.low -= 1;
    scale.high += 1;
  }
  const double step = std::max(1.0, round_step((scale.high - scale.low) / 5));
  const auto last = static_cast<std::int64_t>(std::floor(scale.high / step));
  for (auto i = static_cast<std::int64_t>(std::ceil(scale.low / step)); i <= last; ++i) {
    const double value = step * static_cast<double>(i);
    scale.ticks.push_back({scale.at(value), fixed(value, 0)});
  }
  return scale;
}

std::string percentage(double share) {
  return fixed(100 * share, 2) + '%';
}

class Drawing {
 public:
  Drawing(const Chart& chart, const Thinned& thin)
      : chart_(chart), thin_(thin), x_(x_scale(thin)), y_(value_scale(chart, thin)) {}

  [[nodiscard]] std::string html_text() const {
    std::string text = "<div class=\"plot\" role=\"img\" aria-label=\"" + html(description()) + "\">\n";
    for (const Tick& tick : y_.ticks) {
      text += "<i class=\"grid\" style=\"bottom:" + percentage(tick.at) + "\"><span>" + html(tick.text) +
              "</span></i>";
    }
    for (const Tick& tick : x_.ticks) {
      text +=
          "<i class=\"tick\" style=\"left:" + percentage(tick.at) + "\"><span>" + tick.text + "</span></i>";
    }
    if (chart_.mark) {
      const std::string at = percentage(x_.at(*chart_.mark));
      // The name stays within the plot: it begins at a line on the left edge and ends at one on the right
      // edge.
      text += "<i class=\"mark\" style=\"left:" + at + "\"><span style=\"transform:translateX(-" + at +
              ")\">" + html(chart_.mark_name) + "</span></i>";
    }
    text += "\n<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\n";
    if (chart_.noisy || thin_.joined) {
      for (std::size_t s = 0; s < thin_.lines.size(); ++s) text += background(s);
    }
    for (std::size_t s = 0; s < thin_.lines.size(); ++s) {
      text += path("line", s, places(thin_.lines[s].shown));
    }
    return text + "</svg>" + dots() + "\n</div>\n";
  }

  /// What the page's script shows under the pointer.
  [[nodiscard]] std::string hover_data() const {
    const auto rounded = [](double value) { return std::isfinite(value) ? significant(value) : "null"; };
    std::vector<std::string> series;
    series.reserve(thin_.lines.size());
    for (std::size_t s = 0; s < thin_.lines.size(); ++s) {
      series.push_back(JsonObject()
                           .add("name", chart_.series[s].name)
                           .add_json("y", json_array(thin_.lines[s].points,
                                                     [&](const Point& p) { return rounded(p.mean); }))
                           .text());
    }
    const auto label = [](const std::pair<double, double>& x) {
      const std::string first = fixed(x.first, 0);
      return json_string(x.first < x.second ? first + "–" + fixed(x.second, 0) : first);
    };
    return JsonObject()
        .add("x", chart_.x_name)
        .add("unit", chart_.shares ? " %" : "")
        .add_json("at", json_array(thin_.x, [&](const auto& x) { return fixed(x_at(x), 4); }))
        .add_json("labels", json_array(thin_.x, label))
        .add_json("series", json_array(series, [](const std::string& s) { return s; }))
        .text();
  }

 private:
  using Places = std::vector<std::pair<double, double>>;

  [[nodiscard]] double x_at(const std::pair<double, double>& x) const {
    return x_.at((x.first + x.second) / 2);
  }

  [[nodiscard]] Places places(const std::vector<double>& values) const {
    Places result;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i])) result.emplace_back(x_at(thin_.x[i]), y_.at(values[i]));
    }
    return result;
  }

  static std::string path(const char* kind, std::size_t series, const Places& places) {
    if (places.empty()) return {};
    std::string text = std::string("<path class=\"") + kind + " s" + std::to_string(series) + "\" d=\"";
    char command = 'M';
    for (const auto& [x, y] : places) {
      text += command + fixed(canvas * x, 1) + ' ' + fixed(canvas * (1 - y), 1);
      command = 'L';
    }
    return text + "\"/>\n";
  }

  /// Measured values, or where positions are joined the area from their lowest to their highest.
  [[nodiscard]] std::string background(std::size_t series) const {
    std::vector<double> lows;
    std::vector<double> highs;
    for (const Point& point : thin_.lines[series].points) {
      lows.push_back(point.low);
      highs.push_back(point.high);
    }
    Places outline = places(highs);
    if (!thin_.joined) return path("raw", series, outline);
    const Places lower = places(lows);
    outline.insert(outline.end(), lower.rbegin(), lower.rend());
    return path("band", series, outline);
  }

  /// Where there are few values, each is seen.
  [[nodiscard]] std::string dots() const {
    constexpr std::size_t few = 40;
    if (chart_.noisy || thin_.x.size() > few) return {};
    std::string text;
    for (std::size_t s = 0; s < thin_.lines.size(); ++s) {
      for (const auto& [x, y] : places(thin_.lines[s].shown)) {
        text += "<i class=\"dot s" + std::to_string(s) + "\" style=\"left:" + percentage(x) +
                ";bottom:" + percentage(y) + "\"></i>";
      }
    }
    return text;
  }

  [[nodiscard]] std::string description() const {
    std::string text = chart_.title + " by " + chart_.x_name;
    for (std::size_t s = 0; s < thin_.lines.size(); ++s) {
      const auto& shown = thin_.lines[s].shown;
      const auto exists = [](double value) { return std::isfinite(value); };
      const auto first = std::ranges::find_if(shown, exists);
      const auto last = std::find_if(shown.rbegin(), shown.rend(), exists);
      if (first == shown.end()) continue;
      text += "; " + chart_.series[s].name + " from " + significant(*first) + " to " + significant(*last) +
              (chart_.shares ? " %" : "");
    }
    return text;
  }

  const Chart& chart_;
  const Thinned& thin_;
  Scale x_;
  Scale y_;
};

std::string legend(const Chart& chart) {
  std::string text = "<span class=\"legend\">";
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    text += "<span><i class=\"s" + std::to_string(s) + "\"></i>" + html(chart.series[s].name) + "</span>";
  }
  return text + "</span>";
}

}  // namespace

std::string chart_html(const Chart& chart) {
  const bool any = std::ranges::any_of(chart.series, [](const ChartSeries& series) {
    return std::ranges::any_of(series.values, [](double value) { return std::isfinite(value); });
  });
  if (!any) return {};
  const Thinned thin = thinned(chart);
  const Drawing drawing(chart, thin);
  return "<figure class=\"card chart\" id=\"" + chart.id + "\">\n<figcaption><h3>" + html(chart.title) +
         "</h3>" + (chart.series.size() > 1 ? legend(chart) : "") + "</figcaption>\n" + drawing.html_text() +
         "<p class=\"caption\">" + html(chart.caption) + "</p>\n<script type=\"application/json\">" +
         drawing.hover_data() + "</script>\n</figure>\n";
}

}  // namespace tpn
