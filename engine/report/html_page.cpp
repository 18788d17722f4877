#include "engine/report/html_page.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "engine/report/html_text.h"
#include "engine/report/page.h"

namespace tpn {
namespace {

constexpr std::string_view page_head =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'nonce-report'\">\n";

std::string tiles(const ReportHead& head) {
  if (head.tiles.empty()) return {};
  std::string text = "<div class=\"tiles\">\n";
  for (const ReportTile& tile : head.tiles) {
    text += "<div class=\"card tile\"><b>" + html(tile.value) + "</b><span>" + html(tile.name) +
            "</span><small>" + html(tile.note) + "</small></div>\n";
  }
  return text + "</div>\n";
}

/// A note, in whose options, "--such-as-this", no line ends.
std::string note_text(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = html(text.substr(at, end - at));
    result += word.starts_with("--") ? "<span class=\"option\">" + word + "</span>" : word;
    if (end < text.size()) result += ' ';
    at = end + 1;
  }
  return result;
}

std::string header(const ReportHead& head) {
  std::string text = "<header>\n<h1>" + html(head.title) + "</h1>\n";
  if (!head.subtitle.empty()) text += "<p class=\"subtitle\">" + html(head.subtitle) + "</p>\n";
  text += tiles(head);
  if (!head.facts.empty()) {
    text += "<dl class=\"card facts\">\n";
    for (const ReportFact& fact : head.facts) {
      text += "<div><dt>" + html(fact.name) + "</dt><dd>" + html(fact.value) + "</dd></div>\n";
    }
    text += "</dl>\n";
  }
  for (const ReportNote& note : head.notes) {
    text += std::string("<p class=\"note") +
            (note.warning ? " warning\"><b>Warning</b> " : "\"><b>Note</b> ") + note_text(note.text) +
            "</p>\n";
  }
  return text + "</header>\n";
}

}  // namespace

HtmlPage::HtmlPage(const std::filesystem::path& path, const ReportHead& head) : file_(path) {
  file_.write(page_head);
  file_.write("<title>" + html(head.title) + "</title>\n<style>\n");
  file_.write(page_style);
  file_.write("</style>\n</head>\n<body>\n<main>\n");
  file_.write(header(head));
}

void HtmlPage::finish() {
  file_.write("</main>\n<script nonce=\"report\">\n");
  file_.write(page_script);
  file_.write("</script>\n</body>\n</html>\n");
  file_.commit();
}

}  // namespace tpn
