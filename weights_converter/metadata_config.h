// What a checkpoint's `meta` entry says about the model's configuration.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/model/config.h"
#include "weights_converter/checkpoint.h"

namespace tpn {

struct MetadataConfig {            // NOLINT(bugprone-exception-escape): moving JSON does not throw
  std::optional<Config> complete;  ///< a whole configuration: files written by this project or its reference
  nlohmann::json assignments;  ///< otherwise the configuration text of mmaction2; null where there is none
  std::vector<std::string>
      labels;                      ///< class names of mmengine's dataset_meta or mmcv's CLASSES; may be empty
  std::string data_set;            ///< "sthv1" or "sthv2", where the text names one of them as mmaction2 does
  std::vector<std::string> notes;  ///< what was there and could not be used, as sentences
};

MetadataConfig read_metadata_config(const Checkpoint& checkpoint);

/// Applies what mmaction2's configuration text states literally and tensor shapes cannot show: scales, flow,
/// shifts, head options, clip sampling and preprocessing. Returns whether it stated the temporal scales.
bool apply_assignments(const nlohmann::json& assignments, Config& config);

}  // namespace tpn
