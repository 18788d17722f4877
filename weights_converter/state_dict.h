// Finds the dictionary of tensors in what torch.save wrote.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weights_converter/failure.h"
#include "weights_converter/pickle.h"
#include "weights_converter/saved_object.h"
#include "weights_converter/stored_tensor.h"

namespace tpn {

struct StateDict {
  std::string found_under;  ///< keys joined by '/': "state_dict", "ema/module"; empty: the file itself
  std::vector<std::string> also_under;   ///< where other dictionaries of tensors are
  std::vector<StoredTensor> tensors;     ///< in file order; at least one
  std::vector<std::string> non_tensors;  ///< keys whose values are something else
};

/// Takes the weights that find_weights() finds, and checks every one against its storage. All tensors
/// together may hold at most `max_bytes`, since strides of 0 cost no space in the file. Fails with
/// `no_state_dict`, `no_such_weights`, `bad_tensor`, `bad_dtype` or `limit`.
CheckpointResult<StateDict> read_state_dict(const PickleValue& root, const StorageTable& storages,
                                            std::uint64_t max_bytes, std::string_view wanted = {});

}  // namespace tpn
