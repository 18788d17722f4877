// A log of JSON objects, one a line.
#pragma once

#include <filesystem>

#include "engine/report/append_file.h"
#include "engine/report/json_text.h"

namespace tpn {

/// Goes on behind what is there already; a last line that was not finished is cut off first. Each line is
/// with the system when write() returns. Throws OutputError.
class JsonLines {
 public:
  explicit JsonLines(const std::filesystem::path& path) : file_(path, AppendFile::Existing::extend) {
    file_.cut_unfinished_line();
  }

  void write(const JsonObject& object) { file_.append(object.text() + '\n'); }

 private:
  AppendFile file_;
};

}  // namespace tpn
