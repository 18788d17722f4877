#include "engine/model/output_file.h"

#include <gtest/gtest.h>

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

TEST(OutputFile, RefusesWhatIsNotARegularFile) {
  const TemporaryDirectory folder;
  EXPECT_THROW(OutputFile(folder.path()), Error);
  EXPECT_THROW(OutputFile("/dev/null"), Error);
  EXPECT_THROW(OutputFile(folder / "absent/out"), Error);
  EXPECT_EQ(folder.entry_count(), 0);
}

}  // namespace
}  // namespace tpn
