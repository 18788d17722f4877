// A tensor of a checkpoint: a strided view of a storage that lies in the file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/tensor.h"

namespace tpn {

struct StoredTensor {
  std::string name;  ///< its key in the state_dict; valid UTF-8
  DType dtype = DType::f32;
  Shape shape;  ///< its count() does not throw
  std::array<std::int64_t, Shape::max_rank>
      strides{};                       ///< elements, not negative; every element lies in the storage
  std::int64_t offset = 0;             ///< of the first element, in elements
  std::span<const std::byte> storage;  ///< little-endian elements, not necessarily aligned
  std::string_view storage_key;        ///< of the storage within the file

  [[nodiscard]] std::int64_t elements() const { return shape.count(); }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype); }
  /// Whether the elements stand in the storage as a dense row-major tensor has them.
  [[nodiscard]] bool is_contiguous() const;
};

using ByteSink = std::function<void(std::span<const std::byte>)>;

/// Hands the tensor's elements in row-major order to the sink, in pieces of at most 1 MiB: whole elements,
/// little-endian, aligned to their size, valid during the call only. Contiguous, aligned tensors come
/// straight from the storage.
void stream_elements(const StoredTensor& tensor, const ByteSink& sink);

}  // namespace tpn
