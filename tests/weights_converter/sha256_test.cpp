#include "weights_converter/sha256.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

TEST(Sha256, StandardVectors) {  // FIPS 180-4 examples
  EXPECT_EQ(sha256_hex(test::as_bytes("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex(test::as_bytes("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(test::as_bytes(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, FilesInPieces) {
  const test::TemporaryDirectory folder;
  const std::string data((std::size_t{5} << 19) + 17, 'x');
  EXPECT_EQ(sha256_hex(folder.write("large", data)), sha256_hex(test::as_bytes(data)));
  EXPECT_EQ(sha256_hex(folder.write("empty", "")), sha256_hex(test::as_bytes("")));
  EXPECT_THROW(sha256_hex(folder / "absent"), Error);
}

TEST(Sha256, NamesOfReleasedFiles) {
  const std::string digest = "97d0835d" + std::string(56, '0');
  const auto check = [&](const char* name) { return check_name_digest(name, digest); };
  EXPECT_EQ(check("folder/tpn-slowonly_kinetics400-rgb_20220913-97d0835d.pth"), NameDigest::matches);
  EXPECT_EQ(check("tpn_20220913-97d0835e.pth"), NameDigest::differs);
  EXPECT_EQ(check("tpn.pth"), NameDigest::absent);
  EXPECT_EQ(check("97d0835d.pth"), NameDigest::absent);
  EXPECT_EQ(check("tpn_97d0835d.pth"), NameDigest::absent);
  EXPECT_EQ(check("tpn-97D0835D.pth"), NameDigest::absent);
  EXPECT_EQ(check("tpn-1197d0835d.pth"), NameDigest::absent);
  EXPECT_EQ(check("tpn-20240131.pth"), NameDigest::absent) << "a date";
  EXPECT_EQ(check("tpn-20249931.pth"), NameDigest::absent) << "no digest either";
  EXPECT_EQ(check("resnet50-19c8e357.pth"), NameDigest::absent) << "no date before it";
  EXPECT_EQ(check("tpn_20229913-97d0835e.pth"), NameDigest::absent) << "no date before it";
  EXPECT_EQ(check("tpn-20220913-97d0835e.pth"), NameDigest::absent);
  EXPECT_EQ(check("tpn_20220913-97d0835e (1).pth"), NameDigest::absent);
  EXPECT_EQ(check("tpn_20220913-97d0835e.safetensors"), NameDigest::absent);
  EXPECT_EQ(check("tpn-97d0835d.pth"), NameDigest::matches);
  EXPECT_EQ(check_name_digest("tpn-20240131.pth", "20240131" + std::string(56, '0')), NameDigest::matches);
}

}  // namespace
}  // namespace tpn
