// Tables of pages.
#pragma once

#include <initializer_list>
#include <string>

namespace tpn {

// Cells; the content is HTML.
std::string text_cell(const std::string& content);
std::string number_cell(const std::string& content);

/// A bar below a number, as long as a share of the cell, 0 to 1; nothing where the share is not finite.
std::string bar(double share);

/// Grows by rows; scrolls where it is wider than the page.
class HtmlTable {
 public:
  /// headings: HTML.
  HtmlTable(std::initializer_list<std::string> headings);

  void add(std::initializer_list<std::string> cells);
  [[nodiscard]] std::string text() const;

 private:
  std::string text_;
};

}  // namespace tpn
