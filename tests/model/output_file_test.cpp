#include "engine/model/output_file.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using test::read_file;
using test::TemporaryDirectory;

TEST(OutputFile, AppearsOnlyWhenCommitted) {
  const TemporaryDirectory folder;
  OutputFile file(folder / "out");
  file.write("small");
  const std::string large(1'000'000, 'x');
  file.write(large);
  file.write("end");
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  EXPECT_EQ(file.size(), 5 + large.size() + 3);
  file.commit();
  EXPECT_EQ(read_file(folder / "out"), "small" + large + "end");
  EXPECT_EQ(folder.entry_count(), 1);
}

TEST(OutputFile, LeavesTheOldFileWhenAbandoned) {
  const TemporaryDirectory folder;
  const auto path = folder.write("out", "old");
  {
    OutputFile file(path);
    file.write("new");
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(folder.entry_count(), 1);
}

TEST(OutputFile, ReplacesTheOldFile) {
  const TemporaryDirectory folder;
  const auto path = folder.write("out", "a longer old text");
  OutputFile file(path);
  file.write("new");
  file.commit();
  EXPECT_EQ(read_file(path), "new");
}

/// No file can grow beyond so many bytes, as on a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST(OutputFile, TellsWhenTheDiskIsFullAndLeavesTheOldFile) {
  const TemporaryDirectory folder;
  const auto path = folder.write("out", "old");
  const FileSizeLimit limit(1 << 20);
  for (const std::size_t piece : {std::size_t{1} << 10, std::size_t{1} << 19}) {
    try {
      OutputFile file(path);
      for (std::size_t written = 0; written < (std::size_t{2} << 20); written += piece) {
        file.write(std::string(piece, 'x'));
      }
      file.commit();
      ADD_FAILURE() << "written in pieces of " << piece << " bytes";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path.string() + " cannot be written"), std::string::npos)
          << error.what();
    }
    EXPECT_EQ(read_file(path), "old");
    EXPECT_EQ(folder.entry_count(), 1);
  }
}

TEST(OutputFile, RefusesWhatIsNotARegularFile) {
  const TemporaryDirectory folder;
  EXPECT_THROW(OutputFile(folder.path()), Error);
  EXPECT_THROW(OutputFile("/dev/null"), Error);
  EXPECT_THROW(OutputFile(folder / "absent/out"), Error);
  EXPECT_EQ(folder.entry_count(), 0);
}

}  // namespace
}  // namespace tpn
