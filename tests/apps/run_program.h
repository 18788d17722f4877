// Runs a program of this project and waits for it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tpn::test {

struct ProgramResult {
  int status = -1;             ///< exit status; -1 when it was ended by a signal
  std::string output;          ///< standard output
  std::string errors;          ///< standard error
  long peak_resident_kib = 0;  ///< the most memory it had resident, mapped files included
};

/// Throws std::runtime_error when it cannot be started.
ProgramResult run_program(const std::filesystem::path& program, const std::vector<std::string>& arguments);

}  // namespace tpn::test
