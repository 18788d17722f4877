// Holds the primitives, here emulated, against what GPUs gave (dumps in tests/data/cuda_primitives).
#include "tests/cuda_primitives/primitives.h"

#include <bit>

#include <gtest/gtest.h>

#include "kernels/cuda/launch.h"
#include "tests/support/temporary_directory.h"

namespace tpn::test {
namespace {

namespace fs = std::filesystem;

TEST(Primitives, AgreeWithEveryDump) {
  const fs::path folder = TPN_TEST_DATA "/cuda_primitives";
  const std::vector<Primitive> found = run_primitives();
  if (!fs::exists(folder)) return;
  for (const fs::directory_entry& dump : fs::directory_iterator(folder)) {
    for (const std::string& line : differences(found, read_primitives(dump.path()))) {
      ADD_FAILURE() << dump.path().filename() << ": " << line;
    }
  }
}

TEST(Primitives, AreDeterministic) {
  const std::vector<Primitive> first = run_primitives();
  const bool hopper = cuda::device_attribute(cudaDevAttrComputeCapabilityMajor, cuda::current_device()) == 9;
  EXPECT_EQ(first.size(), hopper ? 19U : 14U);
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
