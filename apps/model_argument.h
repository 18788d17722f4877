// The model that a program is given: a model file, or a checkpoint that is converted first.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "apps/program.h"

namespace tpn::app {

/// Told what was done, one sentence.
using Say = std::function<void(const std::string&)>;

/// A model file for what --model names. A checkpoint (told by its content, not by its name) is converted once
/// and kept in `models` in the cache folder. What is kept carries the checkpoint's time of modification, so
/// that a write to either shows; its name has a digest of the checkpoint's place, size, times and inode, and
/// of this version. Where nothing can be kept, the model lies in a temporary folder until the end of this
/// object.
class ModelArgument {
 public:
  /// Throws Error when a checkpoint is refused or there is no place for the model.
  ModelArgument(const std::filesystem::path& given, const Say& say);
  ModelArgument(const ModelArgument&) = delete;
  ModelArgument& operator=(const ModelArgument&) = delete;
  ~ModelArgument();

  /// A file to load; that it is a model is for the loader to check.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_folder_;   ///< empty: none
  std::optional<AtInterrupt> at_interrupt_;  ///< removes that folder
};

}  // namespace tpn::app
