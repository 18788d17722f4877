// Compares what a kernel made of a case with the operation's reference.
#pragma once

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/verify/bound_case.h"
#include "kernels/verify/tolerance.h"

namespace tpn::test {

/// Every output within the tolerance of its precision; numbers that only choose are equal.
template <class Op>
void expect_agreement(const ops::Case<Op>& c, const verify::BoundCase& bound, double tolerance) {
  const std::vector<std::vector<float>> expected = verify::reference_outputs(c, bound);
  ASSERT_EQ(bound.output_count(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Kind kind = bound.output_operand(i).kind;
    const double allowed = kind == Kind::index        ? 0
                           : kind == Kind::activation ? tolerance
                                                      : std::min(tolerance, verify::op_f32_relative_l2);
    EXPECT_LE(verify::relative_l2(bound.output(i), expected[i]), allowed)
        << "output " << i << " of " << bound.kernel().implementation();
  }
}

}  // namespace tpn::test
