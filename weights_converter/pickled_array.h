// Arrays that stand in a pickle with all their elements, as plain pickle.dump writes them: torch's tensors,
// whose storage is a legacy file of its own there, and NumPy's arrays and scalars.
#pragma once

#include <vector>

#include "kernels/tensor.h"
#include "weights_converter/failure.h"
#include "weights_converter/pickle.h"

namespace tpn {

struct PickledArray {
  Shape shape;
  std::vector<double> values;  ///< row-major; whole numbers of 64 bits as the nearest double
};

/// Fails with `bad_tensor`, `bad_dtype` or `limit`, or as parse_legacy_file() does. Little-endian elements
/// only.
CheckpointResult<PickledArray> parse_pickled_array(const PickleValue& value);

}  // namespace tpn
