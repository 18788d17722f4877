#include "apps/terminal_line.h"

#include <cstddef>
#include <iostream>

#include <sys/ioctl.h>
#include <unistd.h>

namespace tpn::app {
namespace {

constexpr const char* erase = "\r\x1b[K";

/// The first bytes of the text, ending with a whole UTF-8 character. A character may take fewer columns than
/// bytes: then more is cut than need be.
std::string cut(const std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t end = bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

}  // namespace

TerminalLine::TerminalLine() : terminal_(::isatty(STDERR_FILENO) != 0) {}

void TerminalLine::show(const std::string& text) {
  if (!terminal_) return;
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  const std::size_t width = known ? size.ws_col - 1U : 79U;
  std::cerr << erase << cut(text, width) << std::flush;
  shown_ = true;
}

void TerminalLine::clear() {
  if (!shown_) return;
  std::cerr << erase << std::flush;
  shown_ = false;
}

}  // namespace tpn::app
