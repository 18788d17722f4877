// Runs a program as a user's shell would.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temporary_directory.h"

namespace tpn::test {

struct ProgramResult {
  int status = 0;  ///< the exit status; -1: ended by a signal
  std::string out;
  std::string error;
  long peak_resident_kib = 0;  ///< the most memory it had resident, mapped files included
};

/// How a program is started, where it matters.
struct ProgramSetting {
  std::string input{};                     ///< on its standard input
  std::string standard_output{};           ///< an existing file or device for it; "closed"; empty: a file
  std::vector<std::string> environment{};  ///< NAME=VALUE, besides this process's
  rlim_t address_space = RLIM_INFINITY;    ///< bytes
  std::function<void(pid_t)> meanwhile{};  ///< called while it runs
};

/// Throws when the program cannot be started. Its standard streams are files.
inline ProgramResult run_program(const std::string& path, std::vector<std::string> arguments,
                                 const ProgramSetting& setting) {
  const TemporaryDirectory directory;
  const std::string in = directory.write("in", setting.input).string();
  // There before the child is, which `meanwhile` may kill before it opens them.
  const std::string out = directory.write("out", "").string();
  const std::string error = directory.write("error", "").string();
  arguments.insert(arguments.begin(), path);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // Not posix_spawn: its child shares this process's memory until it executes, and with it the peak.
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    dup2(open(in.c_str(), O_RDONLY), STDIN_FILENO);
    const bool captured = setting.standard_output.empty();
    dup2(captured ? open(out.c_str(), O_WRONLY) : open(setting.standard_output.c_str(), O_WRONLY | O_APPEND),
         STDOUT_FILENO);
    dup2(open(error.c_str(), O_WRONLY), STDERR_FILENO);
    // Neither the numbers of files opened here nor that of a closed stream are left to the program.
    close_range(STDERR_FILENO + 1, ~0U, 0);
    if (setting.standard_output == "closed") close(STDOUT_FILENO);
    for (const std::string& variable : setting.environment) {
      putenv(const_cast<char*>(variable.c_str()));  // lives as long as the child's copy of this memory
    }
    const rlimit limit{setting.address_space, setting.address_space};
    if (setting.address_space != RLIM_INFINITY) setrlimit(RLIMIT_AS, &limit);
    execv(argv[0], argv.data());
    _exit(127);
  }
  if (setting.meanwhile) setting.meanwhile(child);
  int status = 0;
  rusage usage{};
  while (wait4(child, &status, 0, &usage) < 0) {
    if (errno != EINTR) throw std::runtime_error("cannot wait for " + path);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) throw std::runtime_error("cannot run " + path);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          setting.standard_output.empty() ? read_file(out) : std::string(), read_file(error),
          usage.ru_maxrss};
}

inline ProgramResult run_program(const std::string& path, std::vector<std::string> arguments,
                                 const std::string& input = {}) {
  return run_program(path, std::move(arguments), ProgramSetting{.input = input});
}

}  // namespace tpn::test
