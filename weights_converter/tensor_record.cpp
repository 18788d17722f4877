#include "weights_converter/tensor_record.h"

#include <algorithm>
#include <array>
#include <optional>

#include "engine/model/text.h"

namespace tpn {
namespace {

constexpr std::string_view rebuild_tensor = "torch._utils._rebuild_tensor";
constexpr std::string_view rebuild_tensor_v2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view rebuild_tensor_v3 = "torch._utils._rebuild_tensor_v3";
constexpr std::array<std::string_view, 2> rebuild_parameter{"torch._utils._rebuild_parameter",
                                                            "torch._utils._rebuild_parameter_with_state"};
constexpr std::size_t max_parameter_nesting = 4;  // 1 in every file that torch wrote
constexpr std::string_view rebuild_from_type = "torch._tensor._rebuild_from_type_v2";

/// Forms of weights that are not read, by what makes them.
struct ForeignForm {
  std::string_view made_by;
  CheckpointError kind;
  std::string_view sentence;
};
constexpr std::array foreign_forms{
    ForeignForm{"torch._utils._rebuild_sparse_tensor", CheckpointError::bad_tensor,
                "It is a sparse tensor; save a dense copy (to_dense())."},
    ForeignForm{"torch._utils._rebuild_sparse_csr_tensor", CheckpointError::bad_tensor,
                "It is a sparse tensor; save a dense copy (to_dense())."},
    ForeignForm{"torch._utils._rebuild_nested_tensor", CheckpointError::bad_tensor,
                "It is a nested tensor; save a dense copy."},
    ForeignForm{"torch._utils._rebuild_qtensor", CheckpointError::bad_dtype,
                "It is a quantized tensor; save the weights from before quantization, or a copy of "
                "dequantize()."},
    ForeignForm{"torch._utils._rebuild_meta_tensor_no_storage", CheckpointError::bad_tensor,
                "It is a tensor without data (device \"meta\"); load the weights before saving them."},
    ForeignForm{"torch._utils._rebuild_wrapper_subclass", CheckpointError::bad_tensor,
                "It is a tensor of a class of its own; save a plain copy."},
    ForeignForm{"torch._utils._rebuild_device_tensor_from_numpy", CheckpointError::bad_tensor,
                "It was saved on a device that keeps no storage (XLA and others); save a copy on the CPU."},
    ForeignForm{"torch.distributed.tensor.DTensor", CheckpointError::bad_tensor,
                "It is one process's part of a distributed tensor; gather the weights before saving them."},
    ForeignForm{"torch.distributed._shard.sharded_tensor.api.ShardedTensor", CheckpointError::bad_tensor,
                "It is one process's part of a distributed tensor; gather the weights before saving them."},
};

constexpr std::string_view array_sentence = "It is a NumPy array; save it as a tensor (torch.from_numpy).";

const ForeignForm* find_foreign(std::string_view made_by) {
  const auto found = std::ranges::find(foreign_forms, made_by, &ForeignForm::made_by);
  return found == foreign_forms.end() ? nullptr : &*found;
}

bool is_rebuilding(std::string_view function) {
  return function == rebuild_tensor || function == rebuild_tensor_v2 || function == rebuild_tensor_v3;
}

bool is_parameter(std::string_view class_name) {
  return std::find(rebuild_parameter.begin(), rebuild_parameter.end(), class_name) != rebuild_parameter.end();
}

CheckpointFailure bad_tensor(const std::string& what) {
  return {CheckpointError::bad_tensor, "It is no valid tensor: " + what + "."};
}

CheckpointFailure bad_dtype(const std::string& what) {
  return {CheckpointError::bad_dtype, "Its element type is not supported: " + what + "."};
}

/// What makes a tensor: one of torch's functions and its arguments.
struct Rebuilding {
  std::string function;
  PickleValue arguments;
};

/// Absent when the value is no call, or a call within _rebuild_from_type_v2(function, type, arguments,
/// state), which stands around tensors that were given attributes, is malformed.
std::optional<Rebuilding> rebuilding_of(const PickleValue& value) {
  const auto arguments = value.arguments();
  if (!arguments) return std::nullopt;
  if (value.class_name() != rebuild_from_type) return Rebuilding{value.class_name(), *arguments};
  const bool well_formed = arguments->size() == 4 && (*arguments)[0].kind() == PickleKind::global &&
                           (*arguments)[2].kind() == PickleKind::tuple;
  if (!well_formed) return std::nullopt;
  return Rebuilding{(*arguments)[0].class_name(), (*arguments)[2]};
}

/// The value inside of a Parameter; absent when a Parameter is malformed.
std::optional<PickleValue> unwrap_parameter(PickleValue value) {
  for (std::size_t i = 0; is_parameter(value.class_name()); ++i) {
    const auto arguments = value.arguments();
    if (!arguments || arguments->size() == 0 || i >= max_parameter_nesting) return std::nullopt;
    value = (*arguments)[0];
  }
  return value;
}

/// Sizes or strides: a tuple (or list, or torch.Size) of ints that are not negative.
std::optional<std::vector<std::int64_t>> parse_extents(PickleValue value) {
  if (value.class_name() == "torch.Size" && value.arguments() && value.arguments()->size() == 1) {
    value = (*value.arguments())[0];
  }
  if (value.kind() != PickleKind::tuple && value.kind() != PickleKind::list) return std::nullopt;
  std::vector<std::int64_t> extents;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto extent = value[i].integer();
    if (!extent || *extent < 0) return std::nullopt;
    extents.push_back(*extent);
  }
  return extents;
}

/// Element count times element size; absent when it, or the product of the extents that are not 0, passes 63
/// bits.
std::optional<std::int64_t> bytes_of(const std::vector<std::int64_t>& shape, std::size_t element_bytes) {
  auto product = static_cast<std::int64_t>(element_bytes);
  bool empty = false;
  for (const std::int64_t n : shape) {
    empty = empty || n == 0;
    if (n != 0 && __builtin_mul_overflow(product, n, &product)) return std::nullopt;
  }
  return empty ? 0 : product;
}

/// Index of the last element in the storage; absent when it passes 63 bits.
std::optional<std::int64_t> last_element(const std::vector<std::int64_t>& shape,
                                         const std::vector<std::int64_t>& strides, std::int64_t offset) {
  std::int64_t last = offset;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    std::int64_t extent = 0;
    if (__builtin_mul_overflow(shape[i] - 1, strides[i], &extent) ||
        __builtin_add_overflow(last, extent, &last)) {
      return std::nullopt;
    }
  }
  return last;
}

/// Whether the metadata of newer torch says that the values are to be negated or conjugated when read.
bool has_pending_maths(const PickleValue& metadata) {
  const auto entries = metadata.entries();
  return std::any_of(entries.begin(), entries.end(),
                     [](const auto& entry) { return entry.second.boolean() == true; });
}

}  // namespace

bool is_tensor(const PickleValue& value) {
  if (value.kind() != PickleKind::object) return false;
  const std::string name = value.class_name();
  return is_rebuilding(name) || is_parameter(name) || name == rebuild_from_type ||
         find_foreign(name) != nullptr;
}

bool is_array(const PickleValue& value) {
  const std::string name = value.kind() == PickleKind::object ? value.class_name() : std::string();
  return name == "numpy.core.multiarray._reconstruct" || name == "numpy._core.multiarray._reconstruct";
}

CheckpointResult<TensorRecord> parse_tensor(const PickleValue& value) {
  return parse_tensor(value, parse_storage_id);
}

CheckpointResult<TensorRecord> parse_tensor(const PickleValue& value, const StorageParser& storage_of) {
  if (is_array(value)) return CheckpointFailure(CheckpointError::bad_tensor, std::string(array_sentence));
  const auto call = unwrap_parameter(value);
  if (!call) return bad_tensor("a Parameter without a tensor");
  const auto rebuilding = rebuilding_of(*call);
  if (rebuilding) {
    if (const ForeignForm* const form = find_foreign(rebuilding->function)) {
      return CheckpointFailure(form->kind, std::string(form->sentence));
    }
  }
  if (!rebuilding || !is_rebuilding(rebuilding->function)) return bad_tensor("found " + describe(*call));
  const PickleValue arguments = rebuilding->arguments;
  const std::string& function = rebuilding->function;
  if (function == rebuild_tensor_v3) return bad_dtype("it is newer than torch's named storages");
  const bool oldest = function == rebuild_tensor;
  // (storage, offset, size, stride), then for v2 (requires_grad, hooks) and perhaps (metadata).
  const std::size_t count = arguments.size();
  if (oldest ? count != 4 : count != 6 && count != 7) {
    return bad_tensor(std::string(function) + " has " + std::to_string(count) + " arguments");
  }
  if (count == 7 && has_pending_maths(arguments[6])) {
    return bad_tensor("it is a lazily negated or conjugated view; save a copy of it instead");
  }

  const auto storage = storage_of(arguments[0]);
  if (!storage) return storage.failure();
  if (!storage->type.dtype) return bad_dtype(std::string(storage->type.name));
  const auto offset = arguments[1].integer();
  if (!offset || *offset < 0) return bad_tensor("its offset is " + describe(arguments[1]));
  const auto shape = parse_extents(arguments[2]);
  if (!shape) return bad_tensor("its size is not a tuple of ints from 0 to 2^63 - 1");
  const auto strides = parse_extents(arguments[3]);
  if (!strides) return bad_tensor("its stride is not a tuple of ints from 0 to 2^63 - 1");
  if (shape->size() != strides->size()) {
    return bad_tensor("it has " + std::to_string(shape->size()) + " sizes but " +
                      std::to_string(strides->size()) + " strides");
  }
  if (shape->size() > Shape::max_rank) {
    return CheckpointFailure(CheckpointError::limit, "It has " + std::to_string(shape->size()) +
                                                         " dimensions; at most " +
                                                         std::to_string(Shape::max_rank) + " are supported.");
  }
  const auto bytes = bytes_of(*shape, storage->type.element_bytes);
  if (!bytes) return bad_tensor("its element count passes 63 bits");
  const auto stored = static_cast<std::int64_t>(storage->bytes / storage->type.element_bytes);
  const auto last = *bytes == 0 ? std::optional<std::int64_t>(-1) : last_element(*shape, *strides, *offset);
  if (!last || *last >= stored) {
    return bad_tensor("with shape " + to_string(Shape(*shape)) + " it reaches past the " +
                      std::to_string(stored) + " elements of its storage");
  }

  TensorRecord record;
  record.storage_bytes = storage->bytes;
  record.tensor.dtype = *storage->type.dtype;
  record.tensor.shape = Shape(*shape);
  std::copy(strides->begin(), strides->end(), record.tensor.strides.begin());
  record.tensor.offset = *offset;
  record.tensor.storage_key = storage->key;
  return record;
}

}  // namespace tpn
