// A file that appears under its name only when it is complete.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/output_target.h"

namespace tpn {

/// Collects what is written in a temporary file beside `path` and gives it that name in commit(); without
/// commit the temporary file is removed. Where `path` is a symbolic link, the file that it leads to is
/// replaced and the link stays; an existing file's permissions are kept. Every function throws OutputError
/// naming the file when the system refuses.
class OutputFile {
 public:
  /// Throws also when resolve_output() does and when `path` is not a regular file: a device must not be
  /// replaced by a file.
  explicit OutputFile(const std::filesystem::path& path);
  /// The same for a target that was resolved before; `path` is for messages.
  OutputFile(std::filesystem::path path, const OutputTarget& target);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// From now on commit() returns only when not even a crash of the system can lose the file.
  void make_durable() { durable_ = true; }
  void commit();
  /// As commit(), but the file stays open: returns its descriptor, which the caller closes.
  [[nodiscard]] int commit_open();

  /// Bytes written so far.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// The folder in which the file will be.
  [[nodiscard]] std::filesystem::path folder() const { return target_.path.parent_path(); }

 private:
  void flush();
  void write_through(std::span<const std::byte> bytes);
  void take_name();

  std::filesystem::path path_;
  OutputTarget target_;
  std::filesystem::path temporary_;
  std::vector<std::byte> buffer_;  // pieces too small to be worth a system call
  std::size_t size_ = 0;
  int descriptor_ = -1;
  bool durable_ = false;
};

/// Throws OutputError when no OutputFile could be made of `path`, so that this is found before the work.
void check_output_file(const std::filesystem::path& path);

/// For a program that is about to end: removes the temporary files of all OutputFiles. Whoever begins or
/// commits one afterwards waits for ever.
void discard_unfinished_files() noexcept;

}  // namespace tpn
