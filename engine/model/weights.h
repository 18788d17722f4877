// The weights of an opened model file, handed out by name, and their packed forms.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "engine/model/model_file.h"
#include "kernels/packed_weights.h"

namespace tpn {

/// Owns a model's parameters and buffers (mapped from the file, read when touched); all plans made from it
/// share packed forms of them. Thread-safe. Stored parameters must not outlive it.
class Weights {
 public:
  explicit Weights(ModelFile file, std::string name);
  /// Throws Error as open_model_file does.
  static std::shared_ptr<const Weights> load(const std::filesystem::path& path);

  [[nodiscard]] const Config& config() const { return file_.config; }
  [[nodiscard]] const std::vector<std::string>& labels() const { return file_.labels; }
  /// Where they come from, JSON text; empty when the file does not say.
  [[nodiscard]] const std::string& source() const { return file_.source; }
  [[nodiscard]] const SafetensorsFile& tensors() const { return file_.tensors; }

  /// Throws Error, naming the file and the tensor, when it is missing, has another shape or an integer type,
  /// or holds a value that is not finite (looked for once).
  [[nodiscard]] StoredParameter parameter(const std::string& name, const Shape& expected) const;

  /// Those in the memory of that name (Backend::memory_name()).
  [[nodiscard]] PackedWeights& packed(const std::string& memory) const;

 private:
  ModelFile file_;
  std::string name_;  ///< of the file, for messages
  void check_finite(const SafetensorsFile::Entry& entry) const;

  mutable std::mutex mutex_;
  mutable std::set<const SafetensorsFile::Entry*> finite_;  ///< those that were looked through
  mutable std::map<std::string, PackedWeights> packed_;     ///< by memory
};

}  // namespace tpn
