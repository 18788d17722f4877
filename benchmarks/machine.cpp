#include "benchmarks/machine.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

#include <malloc.h>
#include <sched.h>

namespace tpn::benchmarks {
namespace {

/// The text after "KEY   :" in the first line of a file under /proc that starts with the key; empty without
/// one.
std::string proc_value(const char* file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return colon == std::string::npos || begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

std::vector<std::string> vector_instructions() {
  constexpr std::array<std::string_view, 13> relevant{
      "avx",         "avx2",        "fma",         "avx_vnni", "avx512f",  "avx512bw", "avx512vl",
      "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"};
  std::istringstream flags(proc_value("/proc/cpuinfo", "flags"));
  std::vector<std::string> found;
  for (std::string flag; flags >> flag;) {
    if (std::find(relevant.begin(), relevant.end(), flag) != relevant.end()) found.push_back(flag);
  }
  return found;
}

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

}  // namespace

Machine describe_machine(const Backend& backend) {
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "gcc " __VERSION__;
#endif
#if defined(__OPTIMIZE__)
  constexpr bool optimized = true;
#else
  constexpr bool optimized = false;
#endif
  return {.processor = proc_value("/proc/cpuinfo", "model name"),
          .processors = usable_processors(),
          .vectors = vector_instructions(),
          .libraries = backend.libraries(),
          .compiler = compiler,
          .optimized = optimized,
          .version = TPN_VERSION};
}

bool reset_peak_memory() {
  malloc_trim(0);
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;  // proc(5): resets the peak resident set size
  return file.good();
}

std::optional<std::size_t> peak_memory() {
  std::istringstream text(proc_value("/proc/self/status", "VmHWM"));
  std::size_t kilobytes = 0;
  if (!(text >> kilobytes)) return std::nullopt;
  return kilobytes * 1024;
}

}  // namespace tpn::benchmarks
