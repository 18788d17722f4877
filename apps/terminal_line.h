// A line on the terminal that says how far the work is.
#pragma once

#include <string>

namespace tpn::app {

/// Writes to stderr, and only if that is a terminal.
class TerminalLine {
 public:
  TerminalLine();
  TerminalLine(const TerminalLine&) = delete;
  TerminalLine& operator=(const TerminalLine&) = delete;
  ~TerminalLine() { clear(); }

  /// Shows this text instead of the one before, cut to the terminal's width.
  void show(const std::string& text);
  /// Takes the line away, so that something else can be written there.
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
};

}  // namespace tpn::app
