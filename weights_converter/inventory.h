// Every parameter of a configuration against what a checkpoint has.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "engine/networks/network.h"
#include "weights_converter/failure.h"
#include "weights_converter/named_tensors.h"

namespace tpn {

/// How one parameter of the model comes about.
struct ParameterSource {
  ParameterSpec spec;
  const StoredTensor* tensor = nullptr;  ///< nullptr: not in the checkpoint
  std::int64_t repeat =
      1;  ///< each element of a 1x1 kernel of an image network stands so often over t, divided by that
};

/// Why a tensor cannot be the parameter it is named after.
struct Mismatch {
  CheckpointError kind;  ///< shape_mismatch or bad_dtype
  std::string sentence;
};

/// Refers to the checkpoint.
struct Inventory {
  std::vector<ParameterSource> parameters;  ///< in mmaction2's order
  std::vector<ParameterSpec> missing;       ///< but num_batches_tracked, which is optional
  std::size_t missing_batches = 0;          ///< how many num_batches_tracked are missing
  std::vector<Mismatch> mismatched;
  std::vector<std::string> ignored;     ///< in the file and known to be of no use: cls_head.new_cls, ...
  std::vector<std::string> unexpected;  ///< in the file otherwise without a place in the model
  std::size_t renamed = 0;
};

Inventory take_inventory(const NamedTensors& tensors, const Config& config);

/// The first reason why the model cannot be made of the checkpoint; with `allow_missing`, tensors may be
/// absent.
std::optional<CheckpointFailure> first_problem(const Inventory& inventory, bool allow_missing);

}  // namespace tpn
