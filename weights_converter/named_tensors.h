// A checkpoint's tensors under mmaction2's names, whatever names the file has.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "weights_converter/checkpoint.h"
#include "weights_converter/names.h"

namespace tpn {

/// Refers to the checkpoint, which must outlive it.
class NamedTensors {
 public:
  explicit NamedTensors(const Checkpoint& checkpoint);

  /// The tensor that stands for the parameter; nullptr when there is none.
  [[nodiscard]] const StoredTensor* find(std::string_view mmaction2_name) const;

  [[nodiscard]] NamingScheme scheme() const { return scheme_; }
  /// "module." or nothing.
  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  [[nodiscard]] const Checkpoint& checkpoint() const { return *checkpoint_; }

 private:
  const Checkpoint* checkpoint_;
  NamingScheme scheme_ = NamingScheme::mmaction2;
  std::string prefix_;
  std::unordered_map<std::string_view, const StoredTensor*> by_name_;  ///< without the prefix
};

}  // namespace tpn
