#include "kernels/convert.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/half.h"

namespace tpn {
namespace {

/// Through float: exact towards double, rounded once towards the 16-bit types from everything but double.
template <class To, class From>
To cast(From x) {
  return static_cast<To>(static_cast<float>(x));
}

template <class From, class To>
void convert_elements(const std::byte* source, std::byte* target, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    From from{};  // memcpy: mapped files give no alignment
    std::memcpy(&from, source + i * sizeof(From), sizeof(From));
    const To to = cast<To>(from);
    std::memcpy(target + i * sizeof(To), &to, sizeof(To));
  }
}

/// Words whose bits under the mask, those of the exponent, are all set. Whole blocks are looked at without a
/// branch, so that this is as fast as memory.
template <class Word>
std::optional<std::size_t> first_with_bits(const std::byte* data, std::size_t count, Word mask) {
  constexpr std::size_t block = 1024;
  for (std::size_t begin = 0; begin < count; begin += block) {
    const std::size_t end = std::min(begin + block, count);
    const auto found = [&](std::size_t i) {
      Word word{};  // memcpy: mapped files give no alignment
      std::memcpy(&word, data + i * sizeof(Word), sizeof(Word));
      return static_cast<Word>((word & mask) == mask ? 1 : 0);
    };
    Word any = 0;
    for (std::size_t i = begin; i < end; ++i) any = static_cast<Word>(any | found(i));
    for (std::size_t i = begin; any != 0 && i < end; ++i) {
      if (found(i) != 0) return i;
    }
  }
  return std::nullopt;
}

template <class Visit>
void with_type(DType dtype, const Visit& visit) {
  switch (dtype) {
    case DType::f64:
      return visit(double{});
    case DType::f32:
      return visit(float{});
    case DType::bf16:
      return visit(Bf16{});
    case DType::f16:
      return visit(F16{});
    default:
      throw Error("Elements of type " + std::string(name_of(dtype)) + " cannot be converted.");
  }
}

}  // namespace

void convert(const std::byte* source, DType source_type, std::byte* target, DType target_type,
             std::size_t count) {
  if (source_type == target_type) {
    if (count > 0) std::memcpy(target, source, count * size_of(source_type));
    return;
  }
  with_type(source_type, [&](auto from) {
    with_type(target_type,
              [&](auto to) { convert_elements<decltype(from), decltype(to)>(source, target, count); });
  });
}

std::optional<std::size_t> first_not_finite(const ConstTensorView& view) {
  const auto count = static_cast<std::size_t>(view.shape.count());
  switch (view.dtype) {
    case DType::f64:
      return first_with_bits(view.data, count, std::uint64_t{0x7FF} << 52U);
    case DType::f32:
      return first_with_bits(view.data, count, std::uint32_t{0x7F800000});
    case DType::bf16:
      return first_with_bits(view.data, count, std::uint16_t{0x7F80});
    case DType::f16:
      return first_with_bits(view.data, count, std::uint16_t{0x7C00});
    default:
      throw Error("Elements of type " + std::string(name_of(view.dtype)) + " are always finite.");
  }
}

std::vector<float> to_floats(const ConstTensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.shape.count()));
  convert(view.data, view.dtype, reinterpret_cast<std::byte*>(values.data()), DType::f32, values.size());
  return values;
}

namespace {

/// Calls visit(Integer{}) for a type of whole numbers; false for another.
template <class Visit>
bool with_integers(DType dtype, const Visit& visit) {
  switch (dtype) {
    case DType::i64:
      return visit(std::int64_t{}), true;
    case DType::i32:
      return visit(std::int32_t{}), true;
    case DType::u8:
      return visit(std::uint8_t{}), true;
    default:
      return false;
  }
}

}  // namespace

ops::Tensor64 to_tensor64(const ConstTensorView& view) {
  ops::Tensor64 tensor(view.shape);
  const bool whole = with_integers(view.dtype, [&]<class Integer>(Integer) {
    for (std::size_t i = 0; i < tensor.data.size(); ++i) {
      Integer value{};
      std::memcpy(&value, view.data + i * sizeof(Integer), sizeof(Integer));
      tensor.data[i] = static_cast<double>(value);
    }
  });
  if (whole) return tensor;
  convert(view.data, view.dtype, reinterpret_cast<std::byte*>(tensor.data.data()), DType::f64,
          tensor.data.size());
  return tensor;
}

void from_tensor64(const ops::Tensor64& tensor, const TensorView& view) {
  const bool whole = with_integers(view.dtype, [&]<class Integer>(Integer) {
    for (std::size_t i = 0; i < tensor.data.size(); ++i) {
      const auto value = static_cast<Integer>(tensor.data[i]);
      std::memcpy(view.data + i * sizeof(Integer), &value, sizeof(Integer));
    }
  });
  if (whole) return;
  convert(reinterpret_cast<const std::byte*>(tensor.data.data()), DType::f64, view.data, view.dtype,
          tensor.data.size());
}

namespace {

/// Calls copy(dense pixel, strided pixel, bytes) for the byte offsets of every pixel.
template <class Copy>
void for_each_pixel(const TensorView& dense, std::int64_t stride, const Copy& copy) {
  const std::int64_t channels = dense.shape.rank() == 0 ? 1 : dense.shape[dense.shape.rank() - 1];
  const std::int64_t pixels = channels == 0 ? 0 : dense.shape.count() / channels;
  const std::size_t bytes = static_cast<std::size_t>(channels) * size_of(dense.dtype);
  const std::size_t step = static_cast<std::size_t>(stride) * size_of(dense.dtype);
  for (std::size_t i = 0; i < static_cast<std::size_t>(pixels); ++i) copy(i * bytes, i * step, bytes);
}

}  // namespace

void spread_pixels(const TensorView& dense, std::int64_t stride, std::byte* to) {
  for_each_pixel(dense, stride, [&](std::size_t packed, std::size_t strided, std::size_t bytes) {
    std::memcpy(to + strided, dense.data + packed, bytes);
  });
}

void gather_pixels(const std::byte* from, std::int64_t stride, const TensorView& dense) {
  for_each_pixel(dense, stride, [&](std::size_t packed, std::size_t strided, std::size_t bytes) {
    std::memcpy(dense.data + packed, from + strided, bytes);
  });
}

}  // namespace tpn
