#include "engine/model/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/model/safetensors_dtype.h"

namespace tpn {
namespace {

/// Receives the header's JSON piece by piece, so that what does not belong there is refused before it takes
/// memory.
class HeaderHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeader header;
  std::string failure;

  bool null() override { return unexpected("null"); }
  bool boolean(bool /*value*/) override { return unexpected("a boolean"); }
  bool number_float(number_float_t /*value*/, const string_t& text) override { return unexpected(text); }
  bool number_integer(number_integer_t value) override { return unexpected(std::to_string(value)); }
  bool binary(binary_t& /*value*/) override { return unexpected("binary data"); }

  bool start_object(std::size_t /*elements*/) override {
    switch (place_) {
      case Place::document:
        place_ = Place::top;
        return true;
      case Place::metadata_value:
        place_ = Place::metadata;
        return true;
      case Place::tensor_value:
        place_ = Place::tensor;
        return true;
      default:
        return unexpected("an object");
    }
  }

  bool end_object() override {
    if (place_ == Place::tensor) {
      place_ = Place::top;
      return finish_tensor();
    }
    place_ = place_ == Place::metadata ? Place::top : Place::document;
    return true;
  }

  bool key(string_t& name) override {
    key_ = name;
    switch (place_) {
      case Place::top:
        if (name != "__metadata__") {
          place_ = Place::tensor_value;
          tensor_ = {};
          name_ = name;
          return true;
        }
        if (has_metadata_) return refuse("the key \"__metadata__\" occurs twice");
        has_metadata_ = true;
        place_ = Place::metadata_value;
        return true;
      case Place::metadata:
        place_ = Place::metadata_text;
        return true;
      default:
        return tensor_key(name);
    }
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata_text) {
      place_ = Place::metadata;
      if (header.metadata.emplace(key_, std::move(value)).second) return true;
      return refuse("the metadata key \"" + key_ + "\" occurs twice");
    }
    if (place_ != Place::dtype) return unexpected("a string");
    place_ = Place::tensor;
    tensor_.dtype = parse_safetensors_dtype(value);
    if (tensor_.dtype) return true;
    return refuse("tensor \"" + name_ + "\" has the element type \"" + value.substr(0, 20) +
                  "\", which is not supported");
  }

  bool start_array(std::size_t /*elements*/) override {
    if (place_ == Place::shape_value) {
      place_ = Place::shape;
    } else if (place_ == Place::offsets_value) {
      place_ = Place::offsets;
    } else {
      return unexpected("a list");
    }
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape) {
      if (tensor_.rank == Shape::max_rank) {
        return refuse("tensor \"" + name_ + "\" has more than " + std::to_string(Shape::max_rank) +
                      " dimensions");
      }
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return refuse("tensor \"" + name_ + "\" has an extent of " + std::to_string(value));
      }
      tensor_.shape[tensor_.rank++] = static_cast<std::int64_t>(value);
      return true;
    }
    if (place_ == Place::offsets) {
      if (tensor_.offset_count == 2) return refuse("tensor \"" + name_ + "\" has more than two data offsets");
      tensor_.offsets[tensor_.offset_count++] = value;
      return true;
    }
    return unexpected(std::to_string(value));
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return refuse("it is not valid JSON at byte " + std::to_string(position));
  }

 private:
  /// Where in the document the parser stands; "_value" means before the value of that key.
  enum class Place {
    document,
    top,
    metadata_value,
    metadata,
    metadata_text,
    tensor_value,
    tensor,
    dtype,
    shape_value,
    shape,
    offsets_value,
    offsets
  };

  struct PartialTensor {
    std::optional<DType> dtype;
    std::array<std::int64_t, Shape::max_rank> shape{};
    std::size_t rank = 0;
    bool has_shape = false;
    std::array<std::uint64_t, 2> offsets{};
    std::size_t offset_count = 0;
    bool has_offsets = false;
  };

  bool refuse(std::string reason) {
    failure = std::move(reason);
    return false;
  }

  bool unexpected(const std::string& found) {
    return refuse("it has " + found.substr(0, 40) + " where that does not belong, at or after the key \"" +
                  key_.substr(0, 100) + "\"");
  }

  bool tensor_key(const std::string& name) {
    if (name == "dtype" && !tensor_.dtype) {
      place_ = Place::dtype;
    } else if (name == "shape" && !std::exchange(tensor_.has_shape, true)) {
      place_ = Place::shape_value;
    } else if (name == "data_offsets" && !std::exchange(tensor_.has_offsets, true)) {
      place_ = Place::offsets_value;
    } else {
      return refuse("tensor \"" + name_ + "\" has an unknown or repeated field \"" + name.substr(0, 100) +
                    "\"");
    }
    return true;
  }

  bool finish_tensor() {
    const std::string name = "tensor \"" + name_ + "\" ";
    if (!tensor_.dtype || !tensor_.has_shape || tensor_.offset_count != 2) {
      return refuse(name + "lacks its dtype, shape or two data offsets");
    }
    const auto [begin, end] = tensor_.offsets;
    if (end < begin) return refuse(name + "ends before it begins");
    const std::span extents(tensor_.shape.data(), tensor_.rank);
    std::uint64_t bytes = size_of(*tensor_.dtype);
    for (const std::int64_t extent : extents) {
      if (__builtin_mul_overflow(bytes, extent, &bytes) || bytes > std::numeric_limits<std::int64_t>::max()) {
        return refuse(name + "has an impossible size");
      }
    }
    const Shape shape(extents);
    if (bytes != end - begin) {
      return refuse(name + "of shape " + to_string(shape) + " needs " + std::to_string(bytes) +
                    " bytes, but has " + std::to_string(end - begin));
    }
    header.entries.push_back({std::move(name_), *tensor_.dtype, shape, begin, bytes});
    return true;
  }

  Place place_ = Place::document;
  std::string key_;   // the last one read
  std::string name_;  // of the tensor being read
  PartialTensor tensor_;
  bool has_metadata_ = false;
};

/// Tensors must lie one after the other and fill the data; sorts them so.
std::optional<Failure> check_ranges(std::vector<SafetensorsFile::Entry>& entries, std::uint64_t data_bytes) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.bytes) <
           std::pair(b.offset, b.bytes);  // empty ones before what begins there too
  });
  std::uint64_t end = 0;
  for (const auto& entry : entries) {
    if (entry.offset != end) {
      return Failure{"tensor \"" + entry.name + "\" begins at byte " + std::to_string(entry.offset) +
                     " of the data instead of " + std::to_string(end) + ", where the one before it ends"};
    }
    if (entry.bytes > data_bytes - end) {
      return Failure{"tensor \"" + entry.name + "\" reaches past the end of the file"};
    }
    end += entry.bytes;
  }
  if (end != data_bytes) {
    return Failure{"the tensors take " + std::to_string(end) + " bytes, but " + std::to_string(data_bytes) +
                   " bytes of data follow the header"};
  }
  return std::nullopt;
}

}  // namespace

Result<SafetensorsHeader> parse_safetensors_header(std::string_view text, std::uint64_t data_bytes) {
  HeaderHandler handler;
  if (!text.starts_with('{')) return Failure{"its header does not begin with \"{\""};
  if (!nlohmann::json::sax_parse(text, &handler)) return Failure{"in its header, " + handler.failure};
  if (auto failure = check_ranges(handler.header.entries, data_bytes)) return *std::move(failure);
  return std::move(handler.header);
}

}  // namespace tpn
