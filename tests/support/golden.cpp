#include "tests/support/golden.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace tpn::test {
namespace {

DType dtype_of(const std::string& numpy_name, const std::string& title) {
  static constexpr std::array<std::pair<std::string_view, DType>, 9> names{{{"float64", DType::f64},
                                                                            {"float32", DType::f32},
                                                                            {"float16", DType::f16},
                                                                            {"int64", DType::i64},
                                                                            {"int32", DType::i32},
                                                                            {"int16", DType::i16},
                                                                            {"int8", DType::i8},
                                                                            {"uint8", DType::u8},
                                                                            {"bool", DType::boolean}}};
  for (const auto& [name, dtype] : names) {
    if (name == numpy_name) return dtype;
  }
  throw Error(title + ": unknown dtype '" + numpy_name + "'.");
}

HostBuffer read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("Cannot open " + path.string() + ".");
  HostBuffer bytes(static_cast<std::size_t>(std::filesystem::file_size(path)));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.bytes()));
  if (!file) throw Error("Cannot read " + path.string() + ".");
  return bytes;
}

}  // namespace

Golden Golden::load(const std::filesystem::path& directory, const std::string& name) {
  Golden golden;
  golden.title_ = (directory / (name + ".json")).string();
  try {
    std::ifstream file(golden.title_);
    if (!file) throw Error("cannot be opened");
    golden.record_ = nlohmann::json::parse(file);
    golden.bytes_ = read_bytes(directory / golden.record_.at("bin").get<std::string>());
    for (const nlohmann::json& entry : golden.record_.at("tensors")) {
      const auto key = entry.at("name").get<std::string>();
      const auto offset = entry.at("offset").get<std::size_t>();
      ConstTensorView view{golden.bytes_.data() + offset,
                           dtype_of(entry.at("dtype").get<std::string>(), golden.title_),
                           Shape(entry.at("shape").get<std::vector<std::int64_t>>())};
      if (offset % HostBuffer::alignment != 0 || offset > golden.bytes_.bytes() ||
          view.bytes() > golden.bytes_.bytes() - offset) {
        throw Error("tensor " + key + " is misaligned or outside the .bin file");
      }
      golden.names_.push_back(key);
      golden.tensors_.emplace(key, view);
    }
  } catch (const std::exception& error) {
    throw Error(golden.title_ + ": " + error.what());
  }
  return golden;
}

ConstTensorView Golden::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error(title_ + ": no tensor '" + name + "'.");
  return found->second;
}

void Golden::require_dtype(const std::string& name, DType found, DType expected) const {
  if (found == expected) return;
  throw Error(title_ + ": tensor '" + name + "' is " + std::string(name_of(found)) + ", expected " +
              std::string(name_of(expected)) + ".");
}

std::vector<std::filesystem::path> golden_directories(const std::filesystem::path& first,
                                                      const char* environment_variable) {
  std::vector<std::filesystem::path> directories;
  const auto add = [&directories](const std::filesystem::path& path) {
    if (std::filesystem::is_directory(path)) directories.push_back(path);
  };
  add(first);
  const char* variable = std::getenv(environment_variable);  // NOLINT(concurrency-mt-unsafe): nothing sets it
  std::istringstream list(variable != nullptr ? variable : "");
  for (std::string item; std::getline(list, item, ':');) {
    if (!item.empty()) add(item);
  }
  return directories;
}

}  // namespace tpn::test
