#include "weights_converter/legacy_file.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/checkpoint_builder.h"
#include "weights_converter/checkpoint.h"

namespace tpn {
namespace {

using test::dictionary;
using test::le;
using test::number;
using test::program;

/// A file of the format before torch 1.6 with one tensor of four floats, whose storage is said to have
/// `announced` elements before `bytes` of data.
std::string legacy_file(std::uint64_t announced, const std::string& bytes) {
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  const std::string system = dictionary({{"little_endian", "\x88"}});
  const std::string weights =
      dictionary({{"w", test::tensor(test::storage("FloatStorage", "0", 4), 0, {4}, {1})}});
  const std::string keys = "](" + test::text("0") + "e";
  return magic + program(number(1001)) + program(system) + program(weights) + program(keys) +
         le(announced, 8) + bytes;
}

std::string outcome(const std::string& file) {
  const auto checkpoint = Checkpoint::parse(test::as_bytes(file));
  return checkpoint ? "ok" : std::string(name_of(checkpoint.failure().kind));
}

TEST(LegacyFile, TheElementCountsAgree) {
  const std::string data(16, 'x');
  EXPECT_EQ(outcome(legacy_file(4, data)), "ok");
  EXPECT_EQ(outcome(legacy_file(3, data)), "bad_tensor") << "fewer than the tensor's storage has";
  EXPECT_EQ(outcome(legacy_file(0, data)), "bad_tensor");
  EXPECT_EQ(outcome(legacy_file(5, data + "xxxx")), "bad_tensor") << "more";
  EXPECT_EQ(outcome(legacy_file(~std::uint64_t{0}, data)), "bad_tensor");
  EXPECT_EQ(outcome(legacy_file(4, data.substr(1))), "truncated");
}

TEST(LegacyFile, BytesBehindItAreCounted) {
  const std::string file = legacy_file(4, std::string(16, 'x') + "behind");
  EXPECT_EQ(Checkpoint::parse(test::as_bytes(file)).value_or_throw().bytes_behind(), 6U);
}

}  // namespace
}  // namespace tpn
