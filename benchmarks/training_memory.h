// What a step of training takes of a device's memory, read from its plan.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/plan/plan.h"

namespace tpn::benchmarks {

/// A tensor of a plan's arena.
struct ArenaTensor {
  std::string name;  ///< of the step that makes it, or of the input
  std::string what;  ///< the operation that makes it; "input"; "packed weight"; "workspace", of the step
  Shape shape;       ///< empty for a packed weight and for workspace
  std::size_t bytes = 0;
};

/// Sizes in bytes. Of the tensors in the arena: where most of them are needed at once.
struct TrainingMemory {
  std::size_t parameters = 0;  ///< in f32
  std::size_t buffers = 0;     ///< running statistics
  std::size_t momentum = 0;
  std::size_t packed = 0;     ///< the forms of frozen parameters that kernels read
  std::size_t arena = 0;      ///< of a step: every tensor that it makes, and the kernels' workspace
  std::size_t workspace = 0;  ///< part of the arena: the largest of a kernel
  std::size_t gradients = 0;  ///< part of the arena: of all parameters, as the update finds them
  std::string peak_step;
  std::size_t peak = 0;              ///< bytes of all tensors at that step, with its workspace
  std::vector<ArenaTensor> largest;  ///< there, large ones first

  [[nodiscard]] std::size_t total() const { return parameters + buffers + momentum + packed + arena; }
};

/// most: how many of the largest tensors to name. plan: of training.
TrainingMemory training_memory(const Plan& plan, std::size_t most = 12);

}  // namespace tpn::benchmarks
