// Compiled into test programs whose kernels run on the CPU: a test fails when its kernels left findings that
// it has not taken.
#include <memory>

#include <gtest/gtest.h>

#include "tests/cuda_on_cpu/control.h"

namespace tpn::cuda_on_cpu {
namespace {

class FailOnFindings : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& /*test*/) override {
    for (const Finding& finding : take_findings())
      ADD_FAILURE() << name_of(finding.kind) << ": " << finding.message;
  }
};

[[maybe_unused]] const bool appended = [] {
  // GoogleTest owns listeners.
  testing::UnitTest::GetInstance()->listeners().Append(std::make_unique<FailOnFindings>().release());
  return true;
}();

}  // namespace
}  // namespace tpn::cuda_on_cpu
