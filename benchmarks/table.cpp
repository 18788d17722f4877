#include "benchmarks/table.h"

#include <algorithm>

namespace tpn::benchmarks {

Table::Table(const std::vector<std::string>& titles) : rows_(1) {
  for (const std::string& title : titles) {
    left_.push_back(title.starts_with('<'));
    rows_[0].push_back(left_.back() ? title.substr(1) : title);
  }
}

void Table::add_row(std::vector<std::string> cells) {
  cells.resize(left_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths(left_.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      line += (i > 0 ? "  " : "") + (left_[i] ? row[i] + space : space + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace tpn::benchmarks
