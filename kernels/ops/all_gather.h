// What all processes of a run have computed, side by side.
#pragma once

#include <algorithm>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Inputs: tensors (C) of this process, one rank of several. Output: those of all, (ranks * inputs, C): the
/// rows of rank 0 first. A backend alone has one rank; one that knows of others, that many
/// (engine/parallel/parallel_backend.h).
struct AllGather {
  static constexpr std::string_view name = "all_gather";

  std::int64_t ranks = 1;

  bool operator==(const AllGather&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    if (inputs.empty() || ranks < 1)
      throw Error("all_gather takes at least one tensor of at least one rank.");
    check_input(name, inputs, 0, Kind::per_channel, 1);
    for (std::size_t i = 1; i < inputs.size(); ++i) check_spec(name, inputs, i, inputs[0]);
    return {matrix({ranks * static_cast<std::int64_t>(inputs.size()), inputs[0].shape[0]})};
  }

  /// Of one rank.
  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    if (ranks != 1) throw Error("all_gather: what the other ranks have is not known here.");
    auto to = outputs[0].data.begin();
    for (const Tensor64& input : inputs) to = std::copy(input.data.begin(), input.data.end(), to);
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<AllGather>> cases() {
    return {{"one", {}, {per_channel(13)}}, {"several", {}, std::vector<TensorSpec>(3, per_channel(64))}};
  }
};

}  // namespace tpn::ops
