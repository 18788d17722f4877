// Line charts as HTML: lines in an SVG that stretches with the page, texts beside it that do not.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tpn {

struct ChartSeries {
  std::string name{};
  std::vector<double> values{};  ///< one for each x; what is not finite is left out
};

struct Chart {
  std::string id{};
  std::string title{};
  std::string caption{};
  std::string x_name{};     ///< "step", "epoch"
  std::vector<double> x{};  ///< ascending whole numbers
  std::vector<ChartSeries> series{};
  bool shares = false;           ///< values are shares, shown from 0 to 100 %
  bool noisy = false;            ///< the line is smoothed, what was measured stands pale behind it
  bool from_zero = false;        ///< the scale begins at zero, however close to one another the values are
  bool any_magnitude = false;    ///< a logarithmic scale where the values differ by more than a hundred
  std::optional<double> mark{};  ///< an x to be pointed out
  std::string mark_name{};
};

/// A figure element; empty when there is no finite value. More than 400 positions are joined: lines show
/// means of neighbours, the pale area behind them reaches from the lowest to the highest.
std::string chart_html(const Chart& chart);

}  // namespace tpn
