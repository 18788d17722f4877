#include "weights_converter/stored_tensor.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/memory.h"
#include "weights_converter/pieces.h"

namespace tpn {
namespace {

static_assert(std::endian::native == std::endian::little,
              "checkpoints are little-endian, and so are the sinks' bytes");

constexpr std::size_t buffer_bytes = std::size_t{1} << 16;

/// Collects elements and passes them on when it is full.
class GatherBuffer {
 public:
  explicit GatherBuffer(const ByteSink& sink) : sink_(sink), memory_(buffer_bytes) {}

  /// Adds `count` elements of `Width` bytes, the first at `source`, `step` bytes apart.
  template <std::size_t Width>
  void add(const std::byte* source, std::int64_t step, std::int64_t count) {
    while (count > 0) {
      const auto taken = std::min(count, static_cast<std::int64_t>((buffer_bytes - used_) / Width));
      std::byte* target = memory_.data() + used_;
      if (step == static_cast<std::int64_t>(Width)) {
        std::memcpy(target, source, static_cast<std::size_t>(taken) * Width);
      } else {
        for (std::int64_t i = 0; i < taken; ++i) std::memcpy(target + i * Width, source + i * step, Width);
      }
      used_ += static_cast<std::size_t>(taken) * Width;
      count -= taken;
      if (used_ == buffer_bytes) flush();
      if (count > 0) source += taken * step;
    }
  }

  void flush() {
    if (used_ > 0) sink_({memory_.data(), used_});
    used_ = 0;
  }

 private:
  const ByteSink& sink_;
  HostBuffer memory_;
  std::size_t used_ = 0;
};

template <std::size_t Width>
void gather(const StoredTensor& tensor, const ByteSink& sink) {
  GatherBuffer buffer(sink);
  const std::size_t rank = tensor.shape.rank();
  const std::int64_t inner = rank == 0 ? 1 : tensor.shape[rank - 1];
  const std::int64_t step = rank == 0 ? 1 : tensor.strides[rank - 1];
  const std::int64_t rows = tensor.elements() / inner;
  std::array<std::int64_t, Shape::max_rank> index{};
  std::int64_t element = tensor.offset;
  for (std::int64_t row = 0; row < rows; ++row) {
    buffer.add<Width>(tensor.storage.data() + element * static_cast<std::int64_t>(Width),
                      step * static_cast<std::int64_t>(Width), inner);
    // To the next row: like an odometer, the last axis but one runs fastest.
    for (std::size_t axis = rank; axis-- > 1;) {
      const std::size_t outer = axis - 1;
      element += tensor.strides[outer];
      if (++index[outer] < tensor.shape[outer]) break;
      element -= tensor.strides[outer] * tensor.shape[outer];
      index[outer] = 0;
    }
  }
  buffer.flush();
}

/// Elements of `width` bytes that need no reordering.
void stream_dense(std::span<const std::byte> elements, std::size_t width, const ByteSink& sink,
                  const ByteSink& consumed) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(elements.data()) % width == 0;
  const HostBuffer copy(aligned ? 0 : piece_bytes);
  for_each_piece(elements, [&](std::span<const std::byte> piece) {
    if (aligned) {
      sink(piece);
    } else {
      std::memcpy(copy.data(), piece.data(), piece.size());
      sink({copy.data(), piece.size()});
    }
    if (consumed) consumed(piece);
  });
}

}  // namespace

bool StoredTensor::is_contiguous() const {
  std::int64_t expected = 1;
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    if (shape[axis] != 1 && strides[axis] != expected) return false;
    expected *= shape[axis];
  }
  return true;
}

void stream_elements(const StoredTensor& tensor, const ByteSink& sink, const ByteSink& consumed) {
  if (tensor.elements() == 0) return;
  const std::size_t width = size_of(tensor.dtype);
  if (tensor.is_contiguous()) {
    stream_dense(tensor.storage.subspan(static_cast<std::size_t>(tensor.offset) * width, tensor.bytes()),
                 width, sink, consumed);
    return;
  }
  switch (width) {
    case 1:
      gather<1>(tensor, sink);
      break;
    case 2:
      gather<2>(tensor, sink);
      break;
    case 4:
      gather<4>(tensor, sink);
      break;
    default:
      gather<8>(tensor, sink);
  }
  if (consumed) consumed(tensor.storage);
}

}  // namespace tpn
