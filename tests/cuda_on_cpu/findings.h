// Where the parts of the emulator put what they find.
#pragma once

#include "tests/cuda_on_cpu/control.h"

namespace tpn::cuda_on_cpu {

/// While one lives, this thread words a finding, and the race checker does not watch it: functions of the
/// standard library that kernels' files also use may be linked in the form that calls the checker.
class Reporting {
 public:
  Reporting() { ++depth_; }
  Reporting(const Reporting&) = delete;
  Reporting& operator=(const Reporting&) = delete;
  ~Reporting() { --depth_; }

  static bool active() { return depth_ > 0; }

 private:
  static inline thread_local int depth_ = 0;
};

/// Whether no finding with the key was kept since take_findings(). Two threads may both be told so.
bool is_new(const std::string& key);

/// Keeps the finding unless one with its key is kept already. Without a key it is the message without its
/// numbers, so that other threads and blocks make no other finding.
void add_finding(Finding finding, std::string key = {});

}  // namespace tpn::cuda_on_cpu
