// Element types, shapes, and non-owning views of tensors.
//
// Activations are N,T,H,W,C ("NDHWC") with C innermost everywhere; weights keep PyTorch's order (O,I,T,H,W).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "kernels/error.h"

namespace tpn {

enum class DType : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  return 0;
}

/// "f32", "bf16", ...; "bool" for boolean.
std::string_view name_of(DType dtype);

constexpr bool is_floating(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

/// Up to eight non-negative extents.
class Shape {
 public:
  static constexpr std::size_t max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  /// Throws Error when there are more than max_rank extents or one is negative.
  explicit Shape(std::span<const std::int64_t> extents);

  [[nodiscard]] std::size_t rank() const { return rank_; }
  std::int64_t operator[](std::size_t axis) const { return extents_[axis]; }
  std::int64_t& operator[](std::size_t axis) { return extents_[axis]; }
  [[nodiscard]] std::span<const std::int64_t> extents() const { return {extents_.data(), rank_}; }
  [[nodiscard]] const std::int64_t* begin() const { return extents_.data(); }
  [[nodiscard]] const std::int64_t* end() const { return extents_.data() + rank_; }

  /// Product of the extents, 1 for rank 0; throws Error when it does not fit 63 bits.
  [[nodiscard]] std::int64_t count() const;

  bool operator==(const Shape& other) const;

 private:
  std::array<std::int64_t, max_rank> extents_{};
  std::size_t rank_ = 0;
};

/// "(1, 8, 256, 256, 3)".
std::string to_string(const Shape& shape);
/// The place of a dense tensor's element, for messages: "(0, 2, 5)", counted from 0.
std::string position_text(std::size_t element, const Shape& shape);

/// A dense, row-major tensor somewhere in memory, owned by someone else.
template <class Byte>
struct BasicTensorView {
  Byte* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(shape.count()) * size_of(dtype); }
};
using TensorView = BasicTensorView<std::byte>;
using ConstTensorView = BasicTensorView<const std::byte>;

inline ConstTensorView read_only(const TensorView& view) {
  return {view.data, view.dtype, view.shape};
}

/// The elements of a view as T; the caller vouches for the type.
template <class T>
T* elements(const TensorView& view) {
  return reinterpret_cast<T*>(view.data);
}
template <class T>
const T* elements(const ConstTensorView& view) {
  return reinterpret_cast<const T*>(view.data);
}

}  // namespace tpn
