// What every program's main() does: the command line, exit statuses, signals, and output that must not get
// lost.
#pragma once

#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace tpn::app {

enum ExitStatus {
  success = 0,
  input_failed = 1,   ///< an input was refused
  wrong_usage = 2,    ///< the options, or what they name, cannot be used; nothing was done
  system_failed = 3,  ///< output could not be written, memory or threads ran out
  signalled = 128     ///< and the signal's number: interrupted
};

/// What --help says about the statuses that all programs have.
inline constexpr const char* common_exit_statuses =
    "3 output could not be written, or memory ran out; 130, 143 or 129 ended by SIGINT, SIGTERM or SIGHUP: "
    "what\n"
    "was finished is kept, and no temporary file is left.";

/// Parses the command line and calls run(), whose result is the exit status. --help and --version are
/// printed. What is thrown becomes one sentence on standard error and a status: that of OptionError and of
/// the parser is wrong_usage, that of OutputError, of missing memory and of other errors of the system
/// system_failed, of any other tpn::Error `on_error`. SIGINT, SIGTERM and SIGHUP, unless the parent ignores
/// them, end the program at once, with what at_interrupt() asks for; a second one does not wait for that.
/// Closed pipes are errors like full disks. Standard streams that are closed cannot be taken for files that
/// the program opens.
int run_program(CLI::App& app, int argc, char** argv, ExitStatus on_error, const std::function<int()>& run);

/// What main() returns when it throws before run_program() begins.
int failed_to_start(const std::exception& error) noexcept;

/// Writes to standard output, which never buffers. Throws OutputError.
void print(std::string_view text);

/// One line on standard error, after the program's name.
void say(const std::string& sentence);

/// Writes all of it to a descriptor; returns 0 or a number of errno.
int write_all(int descriptor, std::string_view text);

/// Held while lines are written, so that a signal does not cut them; and while something is made that an
/// AtInterrupt is to remove, until there is that.
[[nodiscard]] std::unique_lock<std::timed_mutex> uninterrupted();

/// While it lives, a signal that ends the program calls `action` first, on a thread of its own, and says what
/// it returns, if anything.
class AtInterrupt {
 public:
  explicit AtInterrupt(std::function<std::string()> action);
  AtInterrupt(const AtInterrupt&) = delete;
  AtInterrupt& operator=(const AtInterrupt&) = delete;
  ~AtInterrupt();

 private:
  std::list<std::function<std::string()>>::iterator place_;
};

/// While it lives, a signal that ends the program first calls `finish`, on a thread of its own, while the
/// other threads go on with what they do, and says what it returns; it returns when the program may end. The
/// object is not destroyed then: its thread has nothing more to do. said: called when that has been said.
class FinishAtInterrupt {
 public:
  explicit FinishAtInterrupt(std::function<std::string()> finish, std::function<void()> said);
  FinishAtInterrupt(const FinishAtInterrupt&) = delete;
  FinishAtInterrupt& operator=(const FinishAtInterrupt&) = delete;
  ~FinishAtInterrupt();
};

}  // namespace tpn::app
