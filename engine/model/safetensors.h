// The safetensors file format: an 8-byte little-endian length, a JSON header, tensor data.
// https://github.com/huggingface/safetensors (format description)
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/error.h"
#include "kernels/tensor.h"

namespace tpn {

class OutputFile;

/// A safetensors file mapped into memory, read-only. The reader trusts nothing: header at most 100 MB, ranges
/// in bounds, without holes or overlap and of the size their shape and dtype need, no duplicate keys.
class SafetensorsFile {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    Shape shape;
    std::size_t offset;  ///< from the start of the file, bytes
    std::size_t bytes;
  };

  /// Maps the file and checks its header. The failure's message names the file.
  static Result<SafetensorsFile> open(const std::filesystem::path& path);
  /// The same over bytes in memory (which must outlive the object); `name` stands for the file in messages.
  static Result<SafetensorsFile> parse(std::span<const std::byte> bytes, const std::string& name);

  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;
  ~SafetensorsFile();

  /// In file order.
  [[nodiscard]] const std::vector<Entry>& entries() const;
  /// nullptr when there is none of that name.
  [[nodiscard]] const Entry* find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const;
  /// Where the file has elements on addresses that are no multiple of their size, as the format allows, the
  /// first call copies them; the copy stays. Thread-safe.
  [[nodiscard]] ConstTensorView view(const Entry& entry) const;
  /// Tells the system that the entry's pages are not needed soon: they leave this process's resident memory
  /// and are read again from the file when touched.
  void release(const Entry& entry) const;

 private:
  struct State;
  explicit SafetensorsFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A tensor to write. `produce` is called once and hands its bytes, in order, in any number of pieces to the
/// sink.
struct SafetensorsOutput {
  std::string name;
  DType dtype;
  Shape shape;
  std::function<void(const std::function<void(std::span<const std::byte>)>& sink)> produce;
};

/// Writes a safetensors file: header padded so that data starts on 64 bytes; tensors whose size is a multiple
/// of 64 first, then by descending element size, otherwise in the given order. The file is committed. Throws
/// Error naming the file.
void write_safetensors(OutputFile& file, const std::map<std::string, std::string>& metadata,
                       std::span<const SafetensorsOutput> tensors);
/// The same for an OutputFile of that path: on any failure nothing is left.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
                       std::span<const SafetensorsOutput> tensors);

}  // namespace tpn
