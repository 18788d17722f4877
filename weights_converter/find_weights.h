// Where in a saved object the weights are: training programs put them under many keys.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights_converter/failure.h"
#include "weights_converter/pickle.h"

namespace tpn {

struct FoundWeights {
  std::string path;  ///< keys joined by '/': "state_dict", "ema/module"; empty for the saved object itself
  std::vector<std::pair<PickleValue, PickleValue>> entries;
  std::vector<std::string> others;  ///< where else dictionaries of tensors are
};

/// Looks for dictionaries with tensors at the root and one or two keys below it. Of several, `wanted` (a
/// path, or its first key) chooses; without it the usual keys are tried in order ("state_dict",
/// "model_state_dict", "model", ...), then the root, then averaged weights ("state_dict_ema", ...), then any
/// other key if there is only one. Fails with `no_state_dict`, or with `no_such_weights` when there is
/// nothing under `wanted`.
CheckpointResult<FoundWeights> find_weights(const PickleValue& root, std::string_view wanted);

}  // namespace tpn
