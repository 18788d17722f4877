// Holds the primitives against what the emulated device and GPUs gave (dumps in tests/data/cuda_primitives).
#include "tests/cuda_primitives/primitives.h"

#include <algorithm>
#include <bit>

#include <gtest/gtest.h>

#include "kernels/cuda/launch.h"
#include "tests/support/temporary_directory.h"

namespace tpn::test {
namespace {

namespace fs = std::filesystem;

bool on_hopper() {
  return cuda::device_attribute(cudaDevAttrComputeCapabilityMajor, cuda::current_device()) == 9;
}

TEST(Primitives, AgreeWithEveryDump) {
  const fs::path folder = TPN_TEST_DATA "/cuda_primitives";
  ASSERT_TRUE(fs::is_directory(folder)) << folder;
  const std::vector<Primitive> found = run_primitives();
  int dumps = 0;
  for (const fs::directory_entry& dump : fs::directory_iterator(folder)) {
    ++dumps;
    std::vector<Primitive> expected = read_primitives(dump.path());
    if (!on_hopper()) std::erase_if(expected, &Primitive::of_hopper);
    EXPECT_GE(expected.size(), 15U);
    for (const std::string& line : differences(found, expected)) {
      ADD_FAILURE() << dump.path().filename() << ": " << line;
    }
  }
  EXPECT_GE(dumps, 1) << "There is no dump in " << folder << ".";
}

TEST(Primitives, AreDeterministic) {
  const std::vector<Primitive> first = run_primitives();
  EXPECT_EQ(first.size(), on_hopper() ? 23U : 15U);
  EXPECT_EQ(std::ranges::count_if(first, &Primitive::of_hopper), on_hopper() ? 8 : 0);
  EXPECT_TRUE(first == run_primitives());
}

TEST(Primitives, SurviveTheirFile) {
  const TemporaryDirectory folder;
  const std::vector<Primitive> written = run_primitives();
  write_primitives(written, "a device", folder / "dump.json");
  EXPECT_TRUE(read_primitives(folder / "dump.json") == written);
}

TEST(Primitives, DifferencesAreNamed) {
  const Primitive bits{"bits", false, {1, 2, 3}};
  const Primitive sums{"sums", true, {std::bit_cast<std::uint32_t>(1.5F)}};
  EXPECT_TRUE(differences({bits, sums}, {bits, sums}).empty());
  EXPECT_EQ(differences({{"bits", false, {1, 2, 7}}}, {bits}).size(), 1U);
  EXPECT_EQ(differences({{"bits", false, {1, 2}}}, {bits}).size(), 1U);
  EXPECT_EQ(differences({}, {bits, sums}).size(), 2U);
  EXPECT_TRUE(differences({{"sums", true, {std::bit_cast<std::uint32_t>(1.500001F)}}}, {sums}).empty());
  EXPECT_EQ(differences({{"sums", true, {std::bit_cast<std::uint32_t>(1.6F)}}}, {sums}).size(), 1U);
  EXPECT_EQ(differences({{"sums", true, {0x7fc00000U}}}, {sums}).size(), 1U);
}

}  // namespace
}  // namespace tpn::test
