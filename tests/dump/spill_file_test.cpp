#include "engine/dump/spill_file.h"

#include <string>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

TEST(SpillFile, GivesBackWhatItTook) {
  const test::TemporaryDirectory directory;
  SpillFile spill(directory.path());
  EXPECT_EQ(directory.entry_count(), 0);
  const std::string text = "twelve bytes";
  spill.write(100, std::as_bytes(std::span(text)));
  std::string found(text.size(), ' ');
  spill.read(100, std::as_writable_bytes(std::span(found)));
  EXPECT_EQ(found, text);
  EXPECT_THROW(spill.read(101, std::as_writable_bytes(std::span(found))), Error);
}

}  // namespace
}  // namespace tpn
