// Recognitions as text for people and as JSON for programs.
#pragma once

#include <string>

#include "engine/recognize/tpn.h"

namespace tpn::app {

struct ResultFormat {
  bool json = false;
  int top = 5;
  bool all_scores = false;
  std::string run{};  ///< name of the run (run_name()), put into JSON; empty: none
};

/// A name as JSON shows it: bytes that are not UTF-8 become U+FFFD.
std::string shown_name(const std::string& name);

/// The lines of a recognition: several for text, one JSON object on one for JSON.
std::string format_result(const Recognition& recognition, const ResultFormat& format);

/// The lines of an input that failed; empty for text, whose reader looks at stderr.
std::string format_failure(const std::string& input, const std::string& error, const ResultFormat& format);

}  // namespace tpn::app
