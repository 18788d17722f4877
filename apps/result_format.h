// Recognitions as text for people and as JSON for programs.
#pragma once

#include <string>

#include "engine/recognize/tpn.h"

namespace tpn::app {

struct ResultFormat {
  bool json = false;
  int top = 5;
  bool all_scores = false;
};

/// The lines of a recognition: several for text, one JSON object on one for JSON.
std::string format_result(const Recognition& recognition, const ResultFormat& format);

/// The lines of an input that failed; empty for text, whose reader looks at stderr.
std::string format_failure(const std::string& input, const std::string& error, const ResultFormat& format);

}  // namespace tpn::app
