#include "weights_converter/failure.h"

namespace tpn {

std::string_view name_of(CheckpointError kind) {
  switch (kind) {
    case CheckpointError::not_a_checkpoint:
      return "not_a_checkpoint";
    case CheckpointError::truncated:
      return "truncated";
    case CheckpointError::corrupt_zip:
      return "corrupt_zip";
    case CheckpointError::bad_crc:
      return "bad_crc";
    case CheckpointError::unsupported_zip:
      return "unsupported_zip";
    case CheckpointError::bad_pickle:
      return "bad_pickle";
    case CheckpointError::no_state_dict:
      return "no_state_dict";
    case CheckpointError::no_such_weights:
      return "no_such_weights";
    case CheckpointError::bad_tensor:
      return "bad_tensor";
    case CheckpointError::bad_dtype:
      return "bad_dtype";
    case CheckpointError::limit:
      return "limit";
    case CheckpointError::missing_keys:
      return "missing_keys";
    case CheckpointError::shape_mismatch:
      return "shape_mismatch";
    case CheckpointError::nonfinite:
      return "nonfinite";
    case CheckpointError::unsupported_byteorder:
      return "unsupported_byteorder";
  }
  return "?";
}

}  // namespace tpn
