#include "engine/model/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using test::TemporaryDirectory;

TEST(MappedFile, HoldsTheFile) {
  const TemporaryDirectory folder;
  const std::string contents(100'000, 'x');
  MappedFile file = MappedFile::open(folder.write("f", contents)).value_or_throw();
  const MappedFile moved = std::move(file);
  release_pages(moved.bytes().subspan(10, 50'000));
  release_pages({});
  const auto bytes = moved.bytes();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), contents);
  EXPECT_TRUE(MappedFile::open(folder.write("empty", "")).value_or_throw().bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNoFile) {
  const TemporaryDirectory folder;
  const auto absent = MappedFile::open(folder / "absent");
  ASSERT_FALSE(absent);
  EXPECT_NE(absent.failure().message.find((folder / "absent").string()), std::string::npos);
  EXPECT_FALSE(MappedFile::open(folder.path()));
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(MappedFile::open(folder / "fifo")) << "it must not wait for a writer";
}

}  // namespace
}  // namespace tpn
