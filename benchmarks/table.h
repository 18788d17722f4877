// Plain-text tables.
#pragma once

#include <string>
#include <vector>

namespace tpn::benchmarks {

/// Columns as wide as their widest cell; titles that start with '<' (which is not shown) head columns of
/// text, aligned left, the others numbers, aligned right.
class Table {
 public:
  explicit Table(const std::vector<std::string>& titles);

  /// One cell per column.
  void add_row(std::vector<std::string> cells);

  /// Lines, each ended.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<bool> left_;
  std::vector<std::vector<std::string>> rows_;  ///< the titles first
};

}  // namespace tpn::benchmarks
