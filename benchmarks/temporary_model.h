// A model with random weights, for timing without a checkpoint.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "engine/model/temporary_directory.h"

namespace tpn::benchmarks {

/// A model file in a temporary folder, removed with it.
class TemporaryModel {
 public:
  /// config: what load_config() takes. Throws Error when there is no such configuration or the model cannot
  /// be written.
  explicit TemporaryModel(const std::string& config) { write(config); }
  /// Only the folder: write() makes the model.
  TemporaryModel() = default;

  /// classes: of both heads, if not the configuration's own. Throws Error as the constructor.
  void write(const std::string& config, std::optional<int> classes = {}) const;
  /// Removes the folder now; what has the model open can still use it.
  void remove() const noexcept;

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "random.safetensors"; }

 private:
  TemporaryDirectory folder_;
};

}  // namespace tpn::benchmarks
