// Keeps a program from writing over what it reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tpn::app {

/// Files are compared by device and inode, whatever their names. What is not there, or no regular file,
/// cannot be written over.
class FilesInUse {
 public:
  /// `what` it is, for messages: "input". A folder stands for the files in it.
  void reads(const std::filesystem::path& path, const std::string& what);

  /// Throws OptionError when the output is something that is read or another output, and OutputError when it
  /// cannot be written at all. `output` begins the sentence, for instance "--output x".
  void writes(const std::filesystem::path& path, const std::string& output);
  /// The same for standard output, as it was redirected.
  void writes_standard_output() const;

 private:
  struct File {
    std::filesystem::path path;
    std::string what;
  };
  std::vector<File> read_;
  std::vector<File> written_;
};

}  // namespace tpn::app
