// Which configuration a checkpoint's tensors belong to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "weights_converter/failure.h"
#include "weights_converter/metadata_config.h"
#include "weights_converter/named_tensors.h"

namespace tpn {

struct DetectedArchitecture {
  Config config;                   ///< valid
  std::vector<std::string> notes;  ///< where it comes from and what had to be assumed, as sentences
};

/// Takes the configuration from the metadata where it is complete; otherwise depth, kind of backbone,
/// channels, levels and classes from shapes, and the rest from the metadata's configuration text or, where
/// that does not say, from the built-in configuration of this kind. Whether all tensors fit is not checked
/// here. Fails with `missing_keys` or `shape_mismatch`, naming the tensor, when they cannot be those of a
/// TPN; with `defaults_for_absent`, what is not there is as in the built-in configuration.
CheckpointResult<DetectedArchitecture> detect_architecture(const NamedTensors& tensors,
                                                           const MetadataConfig& metadata,
                                                           bool defaults_for_absent);

/// The refusal of a backbone with no tensor of a pyramid beside it, which no configuration makes a TPN of;
/// nothing for other checkpoints.
std::optional<CheckpointFailure> refuse_without_pyramid(const NamedTensors& tensors);

}  // namespace tpn
