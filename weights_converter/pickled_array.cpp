#include "weights_converter/pickled_array.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>

#include "kernels/convert.h"
#include "weights_converter/legacy_file.h"
#include "weights_converter/tensor_record.h"

namespace tpn {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::int64_t most_elements = std::int64_t{1} << 26;

CheckpointFailure bad_array(const std::string& what) {
  return {CheckpointError::bad_tensor, "An array is malformed: " + what + "."};
}

/// The bytes of a value: protocol 2 has none and writes them as a text in Latin-1.
std::optional<std::vector<std::byte>> bytes_of(const PickleValue& value) {
  if (const auto bytes = value.bytes()) return std::vector<std::byte>(bytes->begin(), bytes->end());
  const auto arguments = value.arguments();
  if (!arguments) return std::nullopt;
  const std::string called = value.class_name();
  if ((called == "__builtin__.bytes" || called == "builtins.bytes") && arguments->size() == 0) {
    return std::vector<std::byte>();
  }
  if (called != "_codecs.encode" || arguments->size() != 2) return std::nullopt;
  const auto text = (*arguments)[0].text();
  const auto codec = (*arguments)[1].text();
  if (!text || codec != "latin1") return std::nullopt;
  std::vector<std::byte> bytes;
  bytes.reserve(text->size());
  for (std::size_t i = 0; i < text->size(); ++i) {
    const auto byte = static_cast<unsigned char>((*text)[i]);
    if (byte < 0x80) {
      bytes.push_back(std::byte{byte});
    } else if (i + 1 < text->size() && (byte == 0xc2 || byte == 0xc3)) {  // U+0080 to U+00FF
      bytes.push_back(std::byte((byte & 0x03U) << 6U | (static_cast<unsigned char>((*text)[++i]) & 0x3fU)));
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

double value_at(const std::byte* element, DType dtype) {
  const auto read = [element]<class T>(T value) {
    std::memcpy(&value, element, sizeof value);
    return static_cast<double>(value);
  };
  switch (dtype) {
    case DType::f64:
      return read(double{});
    case DType::f32:
      return read(float{});
    case DType::f16:
    case DType::bf16: {
      float value = 0;
      convert(element, dtype, reinterpret_cast<std::byte*>(&value), DType::f32, 1);
      return static_cast<double>(value);
    }
    case DType::i64:
      return read(std::int64_t{});
    case DType::i32:
      return read(std::int32_t{});
    case DType::i16:
      return read(std::int16_t{});
    case DType::i8:
      return read(std::int8_t{});
    case DType::u8:
    case DType::boolean:
      return read(std::uint8_t{});
  }
  return 0;
}

void append_values(Bytes elements, DType dtype, std::vector<double>& values) {
  const std::size_t width = size_of(dtype);
  for (std::size_t at = 0; at + width <= elements.size(); at += width) {
    values.push_back(value_at(elements.data() + at, dtype));
  }
}

CheckpointResult<PickledArray> parse_torch(const PickleValue& value) {
  std::vector<std::byte> file;
  std::optional<SavedObject> saved;
  const auto storage_of = [&](const PickleValue& storage) -> CheckpointResult<StorageId> {
    const auto arguments = storage.arguments();
    const bool embedded =
        arguments && storage.class_name() == "torch.storage._load_from_bytes" && arguments->size() == 1;
    auto bytes = embedded ? bytes_of((*arguments)[0]) : std::nullopt;
    if (!bytes) return bad_array("its storage is " + describe(storage));
    file = *std::move(bytes);
    auto parsed = parse_legacy_file(file);
    if (!parsed) return parsed.failure();
    saved.emplace(*std::move(parsed));
    return parse_storage_id(saved->pickle.root());
  };
  auto record = parse_tensor(value, storage_of);
  if (!record) return record.failure();
  StoredTensor& tensor = record->tensor;
  // Strides of 0 could make any number of a few bytes.
  if (tensor.elements() > most_elements) {
    return CheckpointFailure(CheckpointError::limit, "An array has " + std::to_string(tensor.elements()) +
                                                         " elements; results have fewer.");
  }
  const auto storage = saved->storages.find(tensor.storage_key);
  if (storage == saved->storages.end()) return bad_array("its storage is missing");
  tensor.storage = storage->second.data;
  PickledArray array{tensor.shape, {}};
  stream_elements(tensor, [&](Bytes elements) { append_values(elements, tensor.dtype, array.values); });
  return array;
}

/// numpy.dtype('f4', False, True), with the byte order in its state: (3, '<', ...).
CheckpointResult<DType> parse_dtype(const PickleValue& value) {
  struct Named {
    std::string_view name;
    DType dtype;
  };
  static constexpr std::array named{
      Named{"f8", DType::f64}, Named{"f4", DType::f32}, Named{"f2", DType::f16},
      Named{"i8", DType::i64}, Named{"i4", DType::i32}, Named{"i2", DType::i16},
      Named{"i1", DType::i8},  Named{"u1", DType::u8},  Named{"b1", DType::boolean}};
  const auto arguments = value.arguments();
  const bool is_dtype = arguments && value.class_name() == "numpy.dtype" && arguments->size() >= 1;
  const auto name = is_dtype ? (*arguments)[0].text() : std::nullopt;
  if (!name) return bad_array("its element type is " + describe(value));
  const auto found = std::ranges::find(named, *name, &Named::name);
  const auto state = value.state();
  const bool big = state && state->size() > 1 && (*state)[1].text() == ">";
  if (found == named.end() || big) {
    return CheckpointFailure(CheckpointError::bad_dtype,
                             "An array has the element type " + std::string(big ? ">" : "") +
                                 std::string(*name) + ", which is not supported.");
  }
  return found->dtype;
}

CheckpointResult<PickledArray> make_array(const Shape& shape, const PickleValue& dtype_value,
                                          const PickleValue& data) {
  const auto dtype = parse_dtype(dtype_value);
  if (!dtype) return dtype.failure();
  const auto bytes = bytes_of(data);
  if (!bytes) return bad_array("its elements are " + describe(data));
  if (bytes->size() != static_cast<std::size_t>(shape.count()) * size_of(*dtype)) {
    return bad_array("its elements take " + std::to_string(bytes->size()) + " bytes, for the shape " +
                     to_string(shape));
  }
  PickledArray array{shape, {}};
  append_values(*bytes, *dtype, array.values);
  return array;
}

/// None where the shape is no tuple, or has more elements than results can have.
std::optional<Shape> parse_shape(const PickleValue& value) {
  if (value.kind() != PickleKind::tuple || value.size() > Shape::max_rank) return std::nullopt;
  std::vector<std::int64_t> extents;
  std::int64_t count = 1;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto extent = value[i].integer();
    if (!extent || *extent < 0 || *extent > most_elements) return std::nullopt;
    if (__builtin_mul_overflow(count, *extent, &count) || count > most_elements) return std::nullopt;
    extents.push_back(*extent);
  }
  return Shape(std::span<const std::int64_t>(extents));
}

/// numpy.core.multiarray._reconstruct(...) with the state (version, shape, dtype, in Fortran's order,
/// elements).
CheckpointResult<PickledArray> parse_numpy(const PickleValue& value) {
  const auto state = value.state();
  if (!state || state->size() != 5) return bad_array("NumPy's state is missing");
  const auto shape = parse_shape((*state)[1]);
  if (!shape) return bad_array("its shape is no tuple of whole numbers");
  if ((*state)[3].boolean() == true && shape->rank() > 1) return bad_array("it is in Fortran's order");
  return make_array(*shape, (*state)[2], (*state)[4]);
}

/// "scalar" of numpy.core.multiarray.scalar, numpy._core.multiarray.scalar.
bool is_numpy(const PickleValue& value, std::string_view function) {
  const std::string name = value.kind() == PickleKind::object ? value.class_name() : std::string();
  return (name.starts_with("numpy.core.") || name.starts_with("numpy._core.")) &&
         name.ends_with("." + std::string(function));
}

}  // namespace

CheckpointResult<PickledArray> parse_pickled_array(const PickleValue& value) {
  if (is_array(value)) return parse_numpy(value);
  const auto arguments = value.arguments();
  if (is_numpy(value, "scalar") && arguments->size() == 2)
    return make_array(Shape(), (*arguments)[0], (*arguments)[1]);
  // Protocol 5: numpy.core.numeric._frombuffer(elements, dtype, shape, order).
  if (is_numpy(value, "_frombuffer") && arguments->size() == 4 && (*arguments)[3].text() == "C") {
    const auto shape = parse_shape((*arguments)[2]);
    if (!shape) return bad_array("its shape is no tuple of whole numbers");
    return make_array(*shape, (*arguments)[1], (*arguments)[0]);
  }
  if (is_tensor(value)) return parse_torch(value);
  return bad_array("found " + describe(value));
}

}  // namespace tpn
