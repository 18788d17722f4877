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

const std::string yes = "\x88", no = "\x89";

/// A file of the format before torch 1.6 of such an object, with one storage that is said to have `announced`
/// elements before `bytes` of data.
std::string legacy_file_of(const std::string& object, std::uint64_t announced, const std::string& bytes,
                           std::int64_t version = 1001, const std::string& little_endian = yes) {
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  const std::string system = dictionary({{"little_endian", little_endian}});
  const std::string keys = "](" + test::text("0") + "e";
  return magic + program(number(version)) + program(system) + program(object) + program(keys) +
         le(announced, 8) + bytes;
}

std::string vector_of(const std::string& type, std::int64_t stored = 4) {
  return test::tensor(test::storage(type, "0", stored), 0, {4}, {1});
}

/// With one tensor of four floats.
std::string legacy_file(std::uint64_t announced, const std::string& bytes) {
  return legacy_file_of(dictionary({{"w", vector_of("FloatStorage")}}), announced, bytes);
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

TEST(LegacyFile, AStorageHasOneTypeAndSize) {
  const std::string data(16, 'x');
  const auto two = [&](const std::string& second) {
    return outcome(legacy_file_of(dictionary({{"a", vector_of("FloatStorage")}, {"b", second}}), 4, data));
  };
  EXPECT_EQ(two(vector_of("FloatStorage")), "ok") << "two tensors may share it";
  EXPECT_EQ(two(vector_of("IntStorage")), "bad_tensor") << "of the same size, but another type";
  EXPECT_EQ(two(vector_of("FloatStorage", 5)), "bad_tensor");
}

TEST(LegacyFile, IsOfTheOneVersionAndOfLittleEndianMachines) {
  const std::string data(16, 'x'), weights = dictionary({{"w", vector_of("FloatStorage")}});
  EXPECT_EQ(outcome(legacy_file_of(weights, 4, data, 1002)), "bad_pickle");
  EXPECT_EQ(outcome(legacy_file_of(weights, 4, data, 1001, no)), "unsupported_byteorder");
  EXPECT_EQ(outcome(legacy_file_of(weights, 4, data, 1001, number(1))), "bad_pickle");
}

TEST(LegacyFile, BytesBehindItAreCounted) {
  const std::string file = legacy_file(4, std::string(16, 'x') + "behind");
  EXPECT_EQ(Checkpoint::parse(test::as_bytes(file)).value_or_throw().bytes_behind(), 6U);
}

}  // namespace
}  // namespace tpn
