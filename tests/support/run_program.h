// Runs a program as a user's shell would.
#pragma once

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
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
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  constexpr int create = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), create, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error.c_str(), create, 0600);
  arguments.insert(arguments.begin(), path);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int code = posix_spawn(&child, path.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) throw std::runtime_error("cannot run " + path);
  int status = 0;
  rusage usage{};
  while (wait4(child, &status, 0, &usage) < 0) {
    if (errno != EINTR) throw std::runtime_error("cannot wait for " + path);
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out), read_file(error), usage.ru_maxrss};
}

}  // namespace tpn::test
