#include "weights_converter/pickle_writer.h"

#include <bit>
#include <limits>

#include "weights_converter/legacy_file.h"

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

void PickleWriter::bytes(std::span<const std::byte> value) {
  stream_ += 'B';
  little_endian(value.size(), 4);
  stream_.append(reinterpret_cast<const char*>(value.data()), value.size());
}

/// By its identification, for torch.load to find.
void PickleWriter::storage(std::string_view key, DType dtype, std::int64_t elements, File file) {
  mark();
  text("storage");
  global("torch", storage_class(dtype));
  text(key);
  text("cpu");
  integer(elements);
  if (file == File::legacy) none();  // no view of another storage
  close_tuple();
  stream_ += 'Q';
}

void PickleWriter::begin_tensor() {
  global("torch._utils", "_rebuild_tensor_v2");
  mark();
}

/// Behind the storage.
void PickleWriter::end_tensor(const Shape& shape) {
  integer(0);  // offset
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

void PickleWriter::tensor(std::string_view storage_key, DType dtype, const Shape& shape) {
  begin_tensor();
  storage(storage_key, dtype, shape.count(), File::archive);
  end_tensor(shape);
}

void PickleWriter::tensor(DType dtype, const Shape& shape, std::span<const std::byte> elements) {
  constexpr std::string_view key = "0";
  // A legacy file (legacy_file.h) with nothing but the storage.
  std::string file = PickleWriter().take() + "\x8a\x0a";  // a whole number of ten bytes
  for (const std::uint8_t byte : legacy_magic) file += static_cast<char>(byte);
  file += '.';
  PickleWriter version;
  version.integer(legacy_version);
  file += version.finish();
  PickleWriter machine;
  machine.empty_dictionary();
  machine.mark();
  machine.text("protocol_version");
  machine.integer(legacy_version);
  machine.text("little_endian");
  machine.boolean(true);
  machine.set_items();
  file += machine.finish();
  PickleWriter object;
  object.storage(key, dtype, shape.count(), File::legacy);
  file += object.finish();
  PickleWriter keys;
  keys.empty_list();
  keys.mark();
  keys.text(key);
  keys.append_items();
  file += keys.finish();
  PickleWriter count;
  static_cast<void>(count.take());
  count.little_endian(static_cast<std::uint64_t>(shape.count()), 8);
  file += count.take();
  file.append(reinterpret_cast<const char*>(elements.data()), elements.size());

  begin_tensor();
  global("torch.storage", "_load_from_bytes");
  mark();
  bytes(std::as_bytes(std::span(file)));
  close_tuple();
  call();
  end_tensor(shape);
}

}  // namespace tpn
