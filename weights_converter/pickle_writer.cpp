#include "weights_converter/pickle_writer.h"

#include <bit>
#include <limits>

namespace tpn {
namespace {

std::string_view storage_class(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "DoubleStorage";
    case DType::f32:
      return "FloatStorage";
    case DType::f16:
      return "HalfStorage";
    case DType::bf16:
      return "BFloat16Storage";
    case DType::i64:
      return "LongStorage";
    case DType::i32:
      return "IntStorage";
    case DType::i16:
      return "ShortStorage";
    case DType::i8:
      return "CharStorage";
    case DType::u8:
      return "ByteStorage";
    case DType::boolean:
      return "BoolStorage";
  }
  return {};
}

}  // namespace

void PickleWriter::little_endian(std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) stream_ += static_cast<char>(value >> (8 * i) & 0xffU);
}

void PickleWriter::integer(std::int64_t value) {
  using Int32 = std::numeric_limits<std::int32_t>;
  if (value >= Int32::min() && value <= Int32::max()) {
    stream_ += 'J';
    little_endian(static_cast<std::uint64_t>(value), 4);
  } else {
    stream_ += "\x8a\x08";
    little_endian(static_cast<std::uint64_t>(value), 8);
  }
}

void PickleWriter::real(double value) {
  stream_ += 'G';
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8)
    stream_ += static_cast<char>(bits >> shift & 0xffU);  // big-endian
}

void PickleWriter::text(std::string_view value) {
  stream_ += 'X';
  little_endian(value.size(), 4);
  stream_ += value;
}

void PickleWriter::global(std::string_view module, std::string_view name) {
  (((stream_ += 'c') += module) += '\n') += name;
  stream_ += '\n';
}

void PickleWriter::ordered_dictionary() {
  global("collections", "OrderedDict");
  empty_tuple();
  call();
}

void PickleWriter::tensor(std::string_view storage_key, DType dtype, const Shape& shape) {
  global("torch._utils", "_rebuild_tensor_v2");
  mark();
  mark();
  text("storage");
  global("torch", storage_class(dtype));
  text(storage_key);
  text("cpu");
  integer(shape.count());
  close_tuple();
  stream_ += 'Q';  // the storage, by this identification
  integer(0);      // offset
  mark();
  for (const std::int64_t extent : shape) integer(extent);
  close_tuple();
  mark();
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    integer(Shape(shape.extents().subspan(axis + 1)).count());
  }
  close_tuple();
  boolean(false);        // requires_grad
  ordered_dictionary();  // hooks
  close_tuple();
  call();
}

}  // namespace tpn
