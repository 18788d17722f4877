#include "apps/terminal_line.h"

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace tpn::app {
namespace {

/// A terminal of so many columns in place of standard error.
class Terminal {
 public:
  explicit Terminal(unsigned short columns) : own_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    if (own_ < 0 || ::grantpt(own_) != 0 || ::unlockpt(own_) != 0) return;
    const int other = ::open(::ptsname(own_), O_RDWR | O_NOCTTY);
    if (other < 0) return;
    termios settings{};
    ::tcgetattr(other, &settings);
    ::cfmakeraw(&settings);
    ::tcsetattr(other, TCSANOW, &settings);
    winsize size{};
    size.ws_col = columns;
    ::ioctl(other, TIOCSWINSZ, &size);
    saved_ = ::dup(STDERR_FILENO);
    ::dup2(other, STDERR_FILENO);
    ::close(other);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (saved_ >= 0) ::dup2(saved_, STDERR_FILENO);
    if (saved_ >= 0) ::close(saved_);
    if (own_ >= 0) ::close(own_);
  }

  [[nodiscard]] bool is_there() const { return saved_ >= 0; }
  /// What was written since the last time.
  [[nodiscard]] std::string written() const {
    std::string text(4096, '\0');
    const ssize_t count = ::read(own_, text.data(), text.size());
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }

 private:
  int own_;
  int saved_ = -1;
};

TEST(TerminalLine, IsCutToItsWidthAndTakenAway) {
  const std::string erase = "\r\x1b[K";
  const Terminal terminal(8);
  if (!terminal.is_there()) GTEST_SKIP() << "There are no terminals here.";
  TerminalLine line;
  line.show("short");
  EXPECT_EQ(terminal.written(), erase + "short");
  line.show("eight or more");
  EXPECT_EQ(terminal.written(), erase + "eight o") << "the last column stays free";
  line.show("abcd\xe5\x8b\x95\xe4\xbd\x9c");  // the second character would have the bytes 7 to 9
  EXPECT_EQ(terminal.written(), erase + "abcd\xe5\x8b\x95");
  line.show("abcde\xe5\x8b\x95");
  EXPECT_EQ(terminal.written(), erase + "abcde");
  line.show("abcdef\xc3\xa9");
  EXPECT_EQ(terminal.written(), erase + "abcdef");
  line.clear();
  EXPECT_EQ(terminal.written(), erase);
}

}  // namespace
}  // namespace tpn::app
