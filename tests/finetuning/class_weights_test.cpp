#include "engine/finetuning/class_weights.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

const std::vector<std::int64_t> labels{0, 0, 1, 0, 1, 0, 0, 0};  // six, two, none

void expect_refused(const std::string& how, const std::string& because) {
  try {
    (void)class_weights(how, labels, 3);
    ADD_FAILURE() << how << " was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(because), std::string::npos) << error.what();
  }
}

TEST(ClassWeights, BalanceSoThatTheMeanOverClipsIsOne) {
  const std::vector<float> weights = class_weights("balanced", labels, 3);
  EXPECT_FLOAT_EQ(weights[1], 3 * weights[0]);
  EXPECT_EQ(weights[2], 0);
  EXPECT_FLOAT_EQ(6 * weights[0] + 2 * weights[1], 8);
  EXPECT_TRUE(class_weights("none", labels, 3).empty());
}

TEST(ClassWeights, AreTakenAsTheyAreGiven) {
  const std::vector<float> expected{1, 2.5F, 0};
  EXPECT_EQ(class_weights("1,2.5,0", labels, 3), expected);
  const test::TemporaryDirectory folder;
  const std::string file = folder.write("weights.txt", "1\n2.5,\r\n 0\n");
  EXPECT_EQ(class_weights(file, labels, 3), expected);
  EXPECT_EQ(with_numbers(file), "1,2.5,0");
  for (const char* how : {"none", "balanced", "1,2"}) EXPECT_EQ(with_numbers(how), how);
}

TEST(ClassWeights, HaveToFit) {
  expect_refused("1,2", "There are 2 weights of classes, and 3 classes.");
  expect_refused("1,-2,1", "The weight -2 of class 1");
  expect_refused("1,inf,1", "The weight inf of class 1");
  expect_refused("0,0,1", "all clips' classes are 0");
  expect_refused("/nonexistent/weights", "is none of these and cannot be read");
  const test::TemporaryDirectory folder;
  const std::string file = folder.write("weights.txt", "1 two 3");
  expect_refused(file, "weights.txt: 'two' is no weight of a class.");
  expect_refused(folder.write("empty.txt", "\n"), "has no weights of classes");
}

}  // namespace
}  // namespace tpn
