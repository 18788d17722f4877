// A checkpoint's tensors under mmaction2's names, whatever names the file has.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weights_converter/checkpoint.h"
#include "weights_converter/names.h"

namespace tpn {

/// Refers to the checkpoint, which must outlive it.
class NamedTensors {
 public:
  explicit NamedTensors(const Checkpoint& checkpoint);
  NamedTensors(const NamedTensors&) = delete;
  NamedTensors& operator=(const NamedTensors&) = delete;
  ~NamedTensors() = default;

  /// The tensor that stands for the parameter; nullptr when there is none.
  [[nodiscard]] const StoredTensor* find(std::string_view mmaction2_name) const;

  [[nodiscard]] NamingScheme scheme() const { return scheme_; }
  /// What was taken out of names, each once: "module.", "model._orig_mod.", ...
  [[nodiscard]] const std::vector<std::string>& prefixes() const { return prefixes_; }
  /// The name of tensor `index` of the checkpoint without that.
  [[nodiscard]] const std::string& name(std::size_t index) const { return names_[index]; }
  /// A sentence when two tensors have the same name without it; then neither can be chosen.
  [[nodiscard]] const std::optional<std::string>& collision() const { return collision_; }
  [[nodiscard]] const Checkpoint& checkpoint() const { return *checkpoint_; }

 private:
  const Checkpoint* checkpoint_;
  NamingScheme scheme_ = NamingScheme::mmaction2;
  std::vector<std::string> prefixes_;
  std::vector<std::string> names_;  ///< as the checkpoint's tensors
  std::optional<std::string> collision_;
  std::unordered_map<std::string_view, const StoredTensor*> by_name_;  ///< views of names_
};

}  // namespace tpn
