// What stands at the top of a report.
#pragma once

#include <string>
#include <vector>

namespace tpn {

struct ReportFact {
  std::string name{};
  std::string value{};
};

struct ReportNote {
  bool warning = false;
  std::string text{};
};

/// A figure that is seen first.
struct ReportTile {
  std::string value{};
  std::string name{};
  std::string note{};
};

struct ReportHead {
  std::string title{};
  std::string subtitle{};
  std::vector<ReportTile> tiles{};
  std::vector<ReportFact> facts{};
  std::vector<ReportNote> notes{};
};

}  // namespace tpn
