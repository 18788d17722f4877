// Runs a program as a user's shell would.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
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

/// Throws when the program cannot be started. Its standard streams are files.
inline ProgramResult run_program(const std::string& path, std::vector<std::string> arguments,
                                 const std::string& input = {}) {
  const TemporaryDirectory directory;
  const std::string in = directory.write("in", input).string();
  const std::string out = (directory / "out").string();
  const std::string error = (directory / "error").string();
  arguments.insert(arguments.begin(), path);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // Not posix_spawn: its child shares this process's memory until it executes, and with it the peak.
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    constexpr int create = O_WRONLY | O_CREAT | O_TRUNC;
    dup2(open(in.c_str(), O_RDONLY), STDIN_FILENO);
    dup2(open(out.c_str(), create, 0600), STDOUT_FILENO);
    dup2(open(error.c_str(), create, 0600), STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  while (wait4(child, &status, 0, &usage) < 0) {
    if (errno != EINTR) throw std::runtime_error("cannot wait for " + path);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) throw std::runtime_error("cannot run " + path);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out), read_file(error), usage.ru_maxrss};
}

}  // namespace tpn::test
