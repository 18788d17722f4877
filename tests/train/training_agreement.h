// How close steps of training on a backend must be to their golden.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "kernels/reference_backend.h"
#include "kernels/verify/tolerance.h"
#include "tests/support/golden_training.h"

namespace tpn::test {

/// Three steps, with both of the golden's limits to the norm of the gradient: losses, gradients, statistics
/// and updated parameters are each within `factor` of the deviation that PyTorch's own f32 shows. weights:
/// the golden's, converted.
inline void expect_training_agreement(const GoldenName& golden, const std::shared_ptr<const Weights>& weights,
                                      const std::shared_ptr<const Backend>& backend,
                                      const PlanOptions& options, double factor) {
  for (const char* variant : {"clip40", "clip0.5"}) {
    SCOPED_TRACE(variant);
    GoldenTraining training(golden, weights, variant, backend, options);
    const nlohmann::json& record = training.golden().record();
    const nlohmann::json& errors = record.at("fp32_error");
    const double relative = factor * record.at("worst_relative_l2").get<double>();
    for (int step = 0; step < 3; ++step) {
      training.step(step);
      for (const auto& [name, values] : training.scalars()) {
        EXPECT_NEAR(values.first, values.second, relative * values.second) << name << " of step " << step;
      }
    }
    std::size_t compared = 0;
    for (const std::string& name : training.golden().names()) {
      const bool other = (name.starts_with("clip")) && !name.starts_with(std::string(variant) + "/");
      if (name == "input" || name == "labels" || other) continue;
      ++compared;
      const auto expected = training.golden().values<float>(name, DType::f32);
      const std::vector<float>& found = training.features().at(name);
      ASSERT_EQ(found.size(), expected.size()) << name;
      const double rounding = 0x1p-23 * errors.at(name).at(1).get<double>();  // of the largest value
      EXPECT_LE(verify::max_abs_difference(found, expected),
                std::max(factor * errors.at(name).at(0).get<double>(), rounding))
          << name;
    }
    EXPECT_EQ(compared, training.features().size());
  }
}

/// A step with values rounded to 16 bits (or products to tf32) is what the reference computes from values so
/// rounded. These tiny networks, with batch norms over a few pixels, amplify a single other rounding a
/// hundredfold, so that gradients are far from those in double; but some inputs are rounded alike. So each
/// result has to be near the reference's for one of many inputs that differ a little. storage: what the
/// reference rounds to.
inline void expect_rounded_training_agreement(const GoldenName& golden,
                                              const std::shared_ptr<const Weights>& weights,
                                              const std::shared_ptr<const Backend>& backend,
                                              Precision precision, Precision storage, double tolerance) {
  std::map<std::string, double> nearest;
  const auto all_are_near = [&] {
    return !nearest.empty() &&
           std::ranges::all_of(nearest, [&](const auto& found) { return found.second <= tolerance; });
  };
  constexpr std::uint32_t most = 40;
  for (std::uint32_t disturbance = 0; disturbance < most && !all_are_near(); ++disturbance) {
    GoldenTraining found(golden, weights, "clip40", backend, {.precision = precision}),
        rounded(golden, weights, "clip40", std::make_shared<ReferenceBackend>(), {.precision = storage});
    found.step(0, disturbance);
    rounded.step(0, disturbance);
    for (const auto& [name, values] : found.features()) {
      const double distance = verify::relative_l2(values, rounded.features().at(name));
      const auto [slot, first] = nearest.try_emplace(name, distance);
      slot->second = std::min(slot->second, distance);
    }
  }
  for (const auto& [name, distance] : nearest) EXPECT_LE(distance, tolerance) << name;
}

}  // namespace tpn::test
