// What a tensor is to the operations: its shape, its kind and its type.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/tensor.h"

namespace tpn {

/// What the elements of a tensor stand for. It decides how they lie in memory and what they may be rounded
/// to: only activations are padded and stored in a plan's precision.
enum class Kind : std::uint8_t {
  activation,   ///< (N,T,H,W,C)
  matrix,       ///< (N,C): what the classifier computes; always f32
  weight,       ///< (O,I,kt,kh,kw), (O,I,kh,kw) of a 2D network, (K,C) of a classifier
  per_channel,  ///< (C): scales, shifts, biases, statistics
  scalar,       ///< (): a loss, a norm, a learning rate; always f32
  index,        ///< whole numbers: labels, counts, places in a window, the state of a random generator
};

/// "activation", "matrix", ...
std::string_view name_of(Kind kind);

struct TensorSpec {
  Shape shape;
  Kind kind = Kind::activation;
  DType dtype = DType::f32;  ///< of activations: until a plan chooses another

  bool operator==(const TensorSpec&) const = default;
};

inline TensorSpec activation(const Shape& shape) {
  return {shape, Kind::activation};
}
inline TensorSpec matrix(const Shape& shape) {
  return {shape, Kind::matrix};
}
inline TensorSpec weight(const Shape& shape) {
  return {shape, Kind::weight};
}
inline TensorSpec per_channel(std::int64_t channels) {
  return {{channels}, Kind::per_channel};
}
inline TensorSpec scalar() {
  return {{}, Kind::scalar};
}
inline TensorSpec indices(const Shape& shape, DType dtype) {
  return {shape, Kind::index, dtype};
}

/// "activation (1, 8, 256, 256, 3)", "index of i32 (8,)": the type where it is not f32.
std::string to_string(const TensorSpec& spec);

}  // namespace tpn
