#include "tests/apps/run_program.h"

#include <stdexcept>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temporary_directory.h"

namespace tpn::test {

ProgramResult run_program(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
  const TemporaryDirectory folder;
  const std::string output = folder / "output";
  const std::string errors = folder / "errors";
  std::vector<std::string> texts{program.string()};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);

  const ::pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    constexpr int mode = 0600;
    const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    const int err = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::rusage usage{};
  if (::wait4(child, &status, 0, &usage) != child) throw std::runtime_error("wait4 failed");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    throw std::runtime_error("cannot run " + program.string());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(output), read_file(errors),
          usage.ru_maxrss};
}

}  // namespace tpn::test
