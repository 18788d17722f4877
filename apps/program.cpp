#include "apps/program.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <new>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "engine/model/output_file.h"
#include "kernels/error.h"

namespace tpn::app {
namespace {

/// What the thread that waits for signals shares with the others. Never destroyed: that thread does not end
/// before the process.
struct Shared {
  std::string name;  ///< of the program
  std::timed_mutex lines;
  std::mutex actions_mutex;
  std::list<std::function<std::string()>> actions;  ///< at an interrupt
  std::mutex finish_mutex;                          ///< held while the program ends
  std::function<std::string()> finish;              ///< before all else; may be empty
  std::function<void()> said;                       ///< after all else; may be empty
};

Shared& shared() {
  static auto& instance = *new Shared;
  return instance;
}

/// Ends the process. A standard stream may not take what is written: the lock is not waited for long.
[[noreturn]] void end_by(int signal) {
  const std::lock_guard ending(shared().finish_mutex);
  std::string sentence;
  try {
    if (shared().finish) sentence = shared().finish();
    if (!sentence.empty()) sentence.insert(0, "; ");
  } catch (...) {  // no memory for the sentence
  }
  constexpr std::chrono::milliseconds patience{500};
  const bool whole_lines = shared().lines.try_lock_for(patience);
  static_cast<void>(whole_lines);
  discard_unfinished_files();
  try {
    const std::lock_guard lock(shared().actions_mutex);
    for (const auto& action : shared().actions) {
      if (const std::string text = action(); !text.empty()) sentence += "; " + text;
    }
    if (::isatty(STDERR_FILENO) != 0)
      static_cast<void>(write_all(STDERR_FILENO, "\r\x1b[K"));  // a line of progress
    say(std::string("interrupted by SIG") + ::sigabbrev_np(signal) + sentence + ".");
    if (shared().said) shared().said();
  } catch (...) {  // no memory for the sentence
  }
  ::_exit(signalled + signal);
}

/// Signals are blocked in every thread but one that waits for them, so that nothing is done in a handler and
/// no system call is interrupted.
void watch_signals() {
  (void)::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    ::sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) ::sigaddset(&signals, number);  // as nohup and shells' & ask for
  }
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] {
    int number = 0;
    if (::sigwait(&signals, &number) != 0) return;
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // the second one ends the process by itself
    end_by(number);
  }).detach();
}

/// Opens the standard streams that are closed the wrong way round: using them fails, and no file that is
/// opened later gets their numbers.
void occupy_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    static_cast<void>(::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

int fail(ExitStatus status, const std::string& sentence) {
  say(sentence);
  return status;
}

int parse_and_run(CLI::App& app, int argc, char** argv, ExitStatus on_error,
                  const std::function<int()>& run) {
  try {
    watch_signals();
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() != 0)
        return fail(wrong_usage, std::string(error.what()) + " (--help explains.)");
      std::ostringstream text, ignored;
      app.exit(error, text, ignored);  // --help, --version
      print(text.str());
      return success;
    }
    return run();
  } catch (const OptionError& error) {
    return fail(wrong_usage, error.what());
  } catch (const OutputError& error) {
    return fail(system_failed, error.what());
  } catch (const OutOfMemory& error) {
    return fail(system_failed, error.what());
  } catch (const Error& error) {
    return fail(on_error, error.what());
  } catch (const std::bad_alloc&) {
    return fail(system_failed, "There is not enough memory.");
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {
      return fail(system_failed,
                  "A thread cannot be started: there is not enough memory, or there are too many.");
    }
    return fail(system_failed, error.what());
  } catch (const std::exception& error) {
    return fail(system_failed, error.what());
  }
}

}  // namespace

int run_program(CLI::App& app, int argc, char** argv, ExitStatus on_error, const std::function<int()>& run) {
  try {
    occupy_standard_streams();
    shared().name = app.get_name();
    return parse_and_run(app, argc, argv, on_error, run);
  } catch (...) {  // no memory for the sentence
    return system_failed;
  }
}

int failed_to_start(const std::exception& error) noexcept {
  for (const char* text : {error.what(), "\n"}) static_cast<void>(write_all(STDERR_FILENO, text));
  return system_failed;
}

int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ::ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

void print(std::string_view text) {
  const auto whole = uninterrupted();
  if (const int error = write_all(STDOUT_FILENO, text)) fail_to_write("Standard output", error);
}

void say(const std::string& sentence) {
  static_cast<void>(write_all(STDERR_FILENO, shared().name + ": " + sentence + "\n"));
}

std::unique_lock<std::timed_mutex> uninterrupted() {
  return std::unique_lock(shared().lines);
}

AtInterrupt::AtInterrupt(std::function<std::string()> action) {
  const std::lock_guard lock(shared().actions_mutex);
  place_ = shared().actions.insert(shared().actions.end(), std::move(action));
}

FinishAtInterrupt::FinishAtInterrupt(std::function<std::string()> finish, std::function<void()> said) {
  const std::lock_guard lock(shared().finish_mutex);
  shared().finish = std::move(finish);
  shared().said = std::move(said);
}

FinishAtInterrupt::~FinishAtInterrupt() {
  const std::lock_guard lock(shared().finish_mutex);
  shared().finish = nullptr;
  shared().said = nullptr;
}

AtInterrupt::~AtInterrupt() {
  const std::lock_guard lock(shared().actions_mutex);
  shared().actions.erase(place_);
}

}  // namespace tpn::app
