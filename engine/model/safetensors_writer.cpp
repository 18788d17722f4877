#include <algorithm>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

#include "engine/model/output_file.h"
#include "engine/model/safetensors.h"
#include "engine/model/safetensors_dtype.h"
#include "engine/model/safetensors_header.h"

namespace tpn {
namespace {

constexpr std::size_t data_alignment = 64;

std::size_t bytes_of(const SafetensorsOutput& tensor) {
  const auto count = static_cast<std::size_t>(tensor.shape.count());
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size_of(tensor.dtype), &bytes)) {
    throw Error("Tensor " + tensor.name + " of shape " + to_string(tensor.shape) + " is too large.");
  }
  return bytes;
}

/// The format allows no holes. Tensors of a multiple of 64 bytes keep what follows them aligned to 64; the
/// others come after, wide elements first, so that each is aligned to its element size.
std::vector<const SafetensorsOutput*> file_order(std::span<const SafetensorsOutput> tensors) {
  std::vector<const SafetensorsOutput*> order;
  for (const SafetensorsOutput& tensor : tensors) order.push_back(&tensor);
  const auto rank = [](const SafetensorsOutput* tensor) {
    return bytes_of(*tensor) % data_alignment == 0 ? std::numeric_limits<std::size_t>::max()
                                                   : size_of(tensor->dtype);
  };
  std::ranges::stable_sort(order, std::greater<>(), rank);
  return order;
}

std::string header_text(const std::map<std::string, std::string>& metadata,
                        const std::vector<const SafetensorsOutput*>& order) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string_view> names{"__metadata__"};
  std::size_t offset = 0;
  for (const SafetensorsOutput* tensor : order) {
    if (!names.insert(tensor->name).second) throw Error("The tensor name " + tensor->name + " occurs twice.");
    const std::size_t end = offset + bytes_of(*tensor);
    // The constructor, since operator[] would search the keys that are there: quadratic.
    header.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(
        tensor->name, nlohmann::ordered_json{{"dtype", safetensors_name(tensor->dtype)},
                                             {"shape", tensor->shape.extents()},
                                             {"data_offsets", {offset, end}}});
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error("A tensor's name or the metadata is not valid UTF-8.");
  }
  text.resize(
      (safetensors_length_bytes + text.size() + data_alignment - 1) / data_alignment * data_alignment -
          safetensors_length_bytes,
      ' ');
  return text;
}

void write_tensor(OutputFile& file, const SafetensorsOutput& tensor) {
  const std::size_t expected = bytes_of(tensor);
  std::size_t produced = 0;
  tensor.produce([&](std::span<const std::byte> piece) {
    produced += piece.size();
    if (produced <= expected) file.write(piece);
  });
  if (produced != expected) {
    throw Error("Tensor " + tensor.name + " of shape " + to_string(tensor.shape) + " needs " +
                std::to_string(expected) + " bytes, but " + std::to_string(produced) + " were produced.");
  }
}

}  // namespace

void write_safetensors(OutputFile& file, const std::map<std::string, std::string>& metadata,
                       std::span<const SafetensorsOutput> tensors) {
  const std::vector<const SafetensorsOutput*> order = file_order(tensors);
  const std::string header = header_text(metadata, order);
  std::string length;
  for (std::size_t i = 0; i < safetensors_length_bytes; ++i)
    length += static_cast<char>(header.size() >> (8 * i) & 0xffU);
  file.write(length);
  file.write(header);
  for (const SafetensorsOutput* tensor : order) write_tensor(file, *tensor);
  file.commit();
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
                       std::span<const SafetensorsOutput> tensors) {
  OutputFile file(path);
  write_safetensors(file, metadata, tensors);
}

}  // namespace tpn
