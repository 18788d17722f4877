#include "kernels/cuda/operand_layout.h"

#include <limits>
#include <string>

namespace tpn::cuda {
namespace {

[[noreturn]] void refuse(std::string_view op, const Operand& operand, const std::string& reason) {
  throw Error("The device 'cuda' cannot run " + std::string(op) + " on a tensor of shape " +
              to_string(operand.shape) + " and type " + std::string(name_of(operand.dtype)) + ": " + reason +
              ".");
}

void check_rank_and_size(std::string_view op, const Operand& operand, std::size_t rank) {
  if (operand.shape.rank() != rank) {
    refuse(op, operand, "it must have " + std::to_string(rank) + " dimensions");
  }
  std::int64_t count = 1;
  for (const std::int64_t extent : operand.shape.extents()) {
    constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max() - channel_alignment;
    if (extent < 1 || extent > limit ||
        (count > 0 && extent > std::numeric_limits<std::int64_t>::max() / count)) {
      refuse(op, operand, "its extents must be between 1 and " + std::to_string(limit));
    }
    count *= extent;
  }
}

}  // namespace

ActivationLayout activation_layout(std::string_view op, const Operand& operand) {
  check_rank_and_size(op, operand, 5);
  const Shape& s = operand.shape;
  const auto extent = [&s](std::size_t axis) { return static_cast<int>(s[axis]); };
  ActivationLayout layout{extent(0), extent(1), extent(2), extent(3), extent(4), operand.pixel_stride};
  if (layout.stride == 0) layout.stride = layout.c;
  const int stored = layout.padded_channels();
  if (layout.stride % channel_alignment != 0 || layout.stride < stored) {
    refuse(op, operand,
           "its pixels are " + std::to_string(layout.stride) +
               " elements apart, which must be a multiple of " + std::to_string(channel_alignment) +
               " and at least " + std::to_string(stored));
  }
  const std::int64_t vectors_per_pixel = stored / (16 / static_cast<int>(size_of(operand.dtype)));
  if (s.count() / s[4] > std::numeric_limits<std::int32_t>::max() / vectors_per_pixel) {
    refuse(op, operand, "it has 2^31 or more vectors of 16 bytes");
  }
  return layout;
}

std::int64_t element_count(std::string_view op, const ActivationLayout& layout) {
  const std::int64_t count = std::int64_t{layout.pixels()} * layout.padded_channels();
  if (count > std::numeric_limits<std::int32_t>::max()) {
    throw Error("The device 'cuda' cannot run " + std::string(op) +
                " one element at a time on a tensor of 2^31 or more elements.");
  }
  return count;
}

MatrixLayout matrix_layout(std::string_view op, const Operand& operand) {
  check_rank_and_size(op, operand, 2);
  if (operand.dtype != DType::f32) refuse(op, operand, "matrices are of type f32");
  if (operand.shape.count() > std::numeric_limits<std::int32_t>::max()) {
    refuse(op, operand, "it has 2^31 or more elements");
  }
  return {static_cast<int>(operand.shape[0]), static_cast<int>(operand.shape[1])};
}

}  // namespace tpn::cuda
