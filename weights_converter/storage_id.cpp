#include "weights_converter/storage_id.h"

#include <algorithm>
#include <array>
#include <string>

#include "engine/model/text.h"

namespace tpn {
namespace {

constexpr std::array storage_types{
    StorageType{"DoubleStorage", 8, DType::f64},
    StorageType{"FloatStorage", 4, DType::f32},
    StorageType{"HalfStorage", 2, DType::f16},
    StorageType{"BFloat16Storage", 2, DType::bf16},
    StorageType{"LongStorage", 8, DType::i64},
    StorageType{"IntStorage", 4, DType::i32},
    StorageType{"ShortStorage", 2, DType::i16},
    StorageType{"CharStorage", 1, DType::i8},
    StorageType{"ByteStorage", 1, DType::u8},
    StorageType{"BoolStorage", 1, DType::boolean},
    StorageType{"ComplexDoubleStorage", 16, std::nullopt},
    StorageType{"ComplexFloatStorage", 8, std::nullopt},
    StorageType{"QInt8Storage", 1, std::nullopt},
    StorageType{"QUInt8Storage", 1, std::nullopt},
    StorageType{"QInt32Storage", 4, std::nullopt},
    StorageType{"QUInt4x2Storage", 1, std::nullopt},
    StorageType{"QUInt2x4Storage", 1, std::nullopt},
    StorageType{"UntypedStorage", 1, std::nullopt},
};

const StorageType* find_storage_type(std::string_view class_name) {
  // "torch.FloatStorage"; "torch.cuda.FloatStorage" in old files; "torch.storage.UntypedStorage".
  if (class_name.substr(0, 6) != "torch.") return nullptr;
  const std::string_view name = class_name.substr(class_name.rfind('.') + 1);
  const auto found = std::find_if(storage_types.begin(), storage_types.end(),
                                  [&](const StorageType& type) { return type.name == name; });
  return found == storage_types.end() ? nullptr : found;
}

CheckpointFailure bad_storage(const std::string& what) {
  return {CheckpointError::bad_tensor, "A tensor's storage is malformed: " + what + "."};
}

}  // namespace

CheckpointResult<StorageId> parse_storage_id(const PickleValue& value) {
  const auto id = value.persistent_id();
  if (!id) return bad_storage("found " + describe(value));
  const bool complete = id->kind() == PickleKind::tuple && (id->size() == 5 || id->size() == 6) &&
                        (*id)[0].text() == "storage" && (*id)[1].kind() == PickleKind::global &&
                        (*id)[2].text().has_value() && (*id)[4].integer().has_value();
  if (!complete) return bad_storage("its identification is not (storage, type, key, location, count)");
  if (id->size() == 6 && (*id)[5].kind() != PickleKind::none) {
    return bad_storage("it is a view of another storage, as torch wrote them before version 0.4");
  }
  const std::string class_name = (*id)[1].class_name();
  const StorageType* const type = find_storage_type(class_name);
  if (type == nullptr) {
    return CheckpointFailure(
        CheckpointError::bad_dtype,
        "A tensor's storage has the type " + in_quotes(class_name) + ", which is none of torch's.");
  }
  const std::int64_t count = *(*id)[4].integer();
  std::int64_t bytes = 0;
  if (count < 0 || __builtin_mul_overflow(count, static_cast<std::int64_t>(type->element_bytes), &bytes)) {
    return bad_storage("it has " + std::to_string(count) + " elements");
  }
  return StorageId{*type, *(*id)[2].text(), static_cast<std::uint64_t>(bytes)};
}

}  // namespace tpn
