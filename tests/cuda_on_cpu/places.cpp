#include "tests/cuda_on_cpu/places.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include <link.h>
#include <unistd.h>

namespace tpn::cuda_on_cpu {

namespace {

struct Segment {
  std::uintptr_t begin;
  std::uintptr_t end;
};

struct Program {
  std::uintptr_t base = 0;  // what addresses in the file have to be moved by
  std::vector<Segment> segments;
};

int add_segments(dl_phdr_info* info, std::size_t /*size*/, void* result) {
  auto& program = *static_cast<Program*>(result);
  if (program.segments.empty()) program.base = info->dlpi_addr;  // the program itself comes first
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    program.segments.push_back({begin, begin + header.p_memsz});
  }
  return 0;
}

const Program& program() {
  static const Program instance = [] {
    Program result;
    dl_iterate_phdr(&add_segments, &result);
    return result;
  }();
  return instance;
}

/// Files whose lines say nothing about a kernel.
bool is_wrapper(const std::string& line) {
  return line.find("/device.cuh:") != std::string::npos ||
         line.find("/cuda_on_cpu/device_") != std::string::npos ||
         line.find("/cuda_on_cpu/tensor_core") != std::string::npos || line.find("??") != std::string::npos;
}

std::string look_up(std::uint32_t place) {
  std::ostringstream command;
  command << "addr2line -i -e /proc/" << getpid() << "/exe 0x" << std::hex
          << place - 1;  // within the call, before its end
  // NOLINTNEXTLINE(cert-env33-c): the command holds two numbers
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.str().c_str(), "r"), &pclose);
  std::string found;
  char text[1024];
  while (pipe != nullptr && std::fgets(text, sizeof(text), pipe.get()) != nullptr) {
    std::string line(text);
    line.erase(std::min(line.find_first_of(" \n"), line.size()));  // " (discriminator 3)"
    if (!line.empty() && !is_wrapper(line)) {
      found = line.substr(line.rfind('/') + 1);
      break;
    }
  }
  if (!found.empty()) return found;
  std::ostringstream number;
  number << "0x" << std::hex << place;
  return number.str();
}

}  // namespace

std::uint32_t place_of(const void* return_address) {
  static const std::uintptr_t base = program().base;
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(return_address) - base);
}

std::string describe_place(std::uint32_t place) {
  if (place == 0) return "an unknown place";
  static std::map<std::uint32_t, std::string> known;  // findings come from one thread of the CPU
  const auto [entry, is_new] = known.try_emplace(place);
  if (is_new) entry->second = look_up(place);
  return entry->second;
}

bool is_in_program(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  const auto& all = program().segments;
  return std::any_of(all.begin(), all.end(),
                     [at](const Segment& segment) { return at >= segment.begin && at < segment.end; });
}

}  // namespace tpn::cuda_on_cpu
