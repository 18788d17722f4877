#include "kernels/tensor.h"

#include <algorithm>
#include <vector>

#include "kernels/tensor_spec.h"

namespace tpn {

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "f64";
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::i64:
      return "i64";
    case DType::i32:
      return "i32";
    case DType::i16:
      return "i16";
    case DType::i8:
      return "i8";
    case DType::u8:
      return "u8";
    case DType::boolean:
      return "bool";
  }
  return "?";
}

Shape::Shape(std::span<const std::int64_t> extents) : rank_(extents.size()) {
  if (extents.size() > max_rank) {
    throw Error("A tensor has " + std::to_string(extents.size()) + " dimensions; at most " +
                std::to_string(max_rank) + " are supported.");
  }
  if (std::any_of(extents.begin(), extents.end(), [](std::int64_t n) { return n < 0; })) {
    throw Error("A tensor has a negative extent.");
  }
  std::copy(extents.begin(), extents.end(), extents_.begin());
}

std::int64_t Shape::count() const {
  std::int64_t product = 1;
  for (const std::int64_t n : extents()) {
    if (__builtin_mul_overflow(product, n, &product)) {
      throw Error("The element count of shape " + to_string(*this) + " does not fit 63 bits.");
    }
  }
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::activation:
      return "activation";
    case Kind::matrix:
      return "matrix";
    case Kind::weight:
      return "weight";
    case Kind::per_channel:
      return "per_channel";
    case Kind::scalar:
      return "scalar";
    case Kind::index:
      return "index";
  }
  return "?";
}

std::string to_string(const TensorSpec& spec) {
  std::string text(name_of(spec.kind));
  if (spec.dtype != DType::f32) text += " of " + std::string(name_of(spec.dtype));
  return text + " " + to_string(spec.shape);
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.rank(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.rank() == 1 ? ",)" : ")");
}

std::string position_text(std::size_t element, const Shape& shape) {
  std::vector<std::size_t> place(shape.rank());
  for (std::size_t i = shape.rank(); i-- > 0;) {
    place[i] = element % static_cast<std::size_t>(shape[i]);
    element /= static_cast<std::size_t>(shape[i]);
  }
  std::string text = "(";
  for (std::size_t i = 0; i < place.size(); ++i) text += (i ? ", " : "") + std::to_string(place[i]);
  return text + ")";
}

}  // namespace tpn
