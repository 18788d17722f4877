// A page for browsers that needs nothing else and asks for nothing from the network.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "engine/model/output_file.h"
#include "engine/report/report_head.h"

namespace tpn {

/// Takes the sections one after the other. `path` is replaced by finish(). Functions throw OutputError.
class HtmlPage {
 public:
  HtmlPage(const std::filesystem::path& path, const ReportHead& head);

  /// HTML; sections know the classes and scripts of report.css and report.js.
  void write(std::string_view section) { file_.write(section); }
  void finish();

 private:
  OutputFile file_;
};

}  // namespace tpn
