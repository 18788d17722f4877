#include "engine/report/html_table.h"

#include <algorithm>
#include <cmath>

#include "engine/report/html_text.h"

namespace tpn {

std::string text_cell(const std::string& content) {
  return "<td>" + content + "</td>";
}

std::string number_cell(const std::string& content) {
  return "<td class=\"number\">" + content + "</td>";
}

std::string bar(double share) {
  if (!std::isfinite(share)) return {};
  return "<i class=\"bar\"><i style=\"width:" + fixed(100 * std::clamp(share, 0.0, 1.0), 1) + "%\"></i></i>";
}

HtmlTable::HtmlTable(std::initializer_list<std::string> headings)
    : text_("<div class=\"scroll\"><table>\n<thead><tr>") {
  for (const std::string& heading : headings) text_ += "<th>" + heading + "</th>";
  text_ += "</tr></thead>\n<tbody>\n";
}

void HtmlTable::add(std::initializer_list<std::string> cells) {
  text_ += "<tr>";
  for (const std::string& cell : cells) text_ += cell;
  text_ += "</tr>\n";
}

std::string HtmlTable::text() const {
  return text_ + "</tbody>\n</table></div>\n";
}

}  // namespace tpn
