// How close a backend's f32 must be to a golden.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "kernels/verify/tolerance.h"
#include "tests/support/golden_network.h"

namespace tpn::test {

/// Every feature, of fused and unfused plans, deviates from f64 by a few times what PyTorch's own f32 does.
inline void expect_f32_agreement(const GoldenNetwork& network,
                                 const std::shared_ptr<const Backend>& backend) {
  for (const bool fuse : {true, false}) {
    const auto features = network.run(backend, {.fuse = fuse});
    EXPECT_GE(features.size(), 16U);
    EXPECT_EQ(first_deviation(features,
                              [&](const std::string& name, std::span<const float> values) {
                                return network.f32_deviation(name, values);
                              }),
              "")
        << (fuse ? "fused" : "not fused");
  }
}

}  // namespace tpn::test
