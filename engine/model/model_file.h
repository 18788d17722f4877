// A model file: safetensors whose metadata says what the tensors are.
//
// Metadata: "tpn.config" (JSON, see config.h), "tpn.labels" (JSON array of class names, optional),
// "tpn.source" (JSON: file name, SHA-256, what was renamed, dropped or missing).
// Parameters carry mmaction2's names, unfused, in the dtype they are stored in.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "engine/model/safetensors.h"

namespace tpn {

struct ModelFile {
  Config config;
  std::vector<std::string> labels;  ///< empty, or one per class
  std::string source;               ///< JSON text; empty when the file has none
  SafetensorsFile tensors;
};

/// Opens a model file; throws Error, naming the file, when it is not a readable safetensors file, lacks or
/// has a wrong "tpn.config", or has a number of labels other than the configuration's classes. Whether the
/// tensors are those the configuration needs is checked by whoever builds the network.
ModelFile open_model_file(const std::filesystem::path& path);

}  // namespace tpn
