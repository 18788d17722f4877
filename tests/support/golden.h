// Golden files: NAME.json describes the tensors of NAME.bin, next to what else the case records.
//
// NAME.json: {..., "bin": "NAME.bin", "tensors": [{"name", "dtype", "shape", "offset"}]}; the tensors of
// NAME.bin are dense, row-major, little-endian, at byte offsets that are multiples of 64; dtype is a numpy
// name ("float32").
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "kernels/memory.h"
#include "kernels/tensor.h"

namespace tpn::test {

/// One golden case. Moving it keeps the views valid; they end with it.
// NOLINTNEXTLINE(bugprone-exception-escape): moving JSON asserts, which the check takes for throwing
class Golden {
 public:
  /// Reads DIRECTORY/NAME.json and the file it names. Throws Error naming the file and what is wrong with it.
  static Golden load(const std::filesystem::path& directory, const std::string& name);

  /// The whole JSON object.
  [[nodiscard]] const nlohmann::json& record() const { return record_; }
  /// In the order of the file.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] bool has(const std::string& name) const { return tensors_.contains(name); }
  /// Throws Error naming the case when it has no such tensor.
  [[nodiscard]] ConstTensorView tensor(const std::string& name) const;

  /// The elements of a tensor; throws Error when its dtype is not `expected`, that of T.
  template <class T>
  [[nodiscard]] std::span<const T> values(const std::string& name, DType expected) const {
    const ConstTensorView view = tensor(name);
    require_dtype(name, view.dtype, expected);
    return {elements<T>(view), static_cast<std::size_t>(view.shape.count())};
  }

 private:
  void require_dtype(const std::string& name, DType found, DType expected) const;

  std::string title_;
  nlohmann::json record_;
  HostBuffer bytes_;
  std::vector<std::string> names_;
  std::map<std::string, ConstTensorView> tensors_;
};

/// `first` where it exists, then the existing folders of the colon-separated environment variable.
std::vector<std::filesystem::path> golden_directories(const std::filesystem::path& first,
                                                      const char* environment_variable);

}  // namespace tpn::test
