#include "engine/model/weights.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

/// The weights of a model file that holds a matrix and a counter.
class WeightsTest : public testing::Test {
 protected:
  WeightsTest() {
    const auto bytes_of = [](const auto& values) {
      return [&values](const auto& sink) { sink(std::as_bytes(std::span(values))); };
    };
    const std::vector<SafetensorsOutput> tensors{{"matrix", DType::f32, {2, 3}, bytes_of(matrix_)},
                                                 {"count", DType::i64, {2}, bytes_of(count_)}};
    const Config config = builtin_config("tpn-slowonly-r50-8x8");
    write_safetensors(folder_ / "m", {{"tpn.config", to_json(config)}}, tensors);
    weights_ = Weights::load(folder_ / "m");
  }

  void expect_refused(const std::string& name, const Shape& shape, const std::string& part) const {
    try {
      (void)weights_->parameter(name, shape);
      FAIL() << name << " of shape " << to_string(shape) << " was given";
    } catch (const Error& error) {
      const std::string sentence = error.what();
      EXPECT_NE(sentence.find((folder_ / "m").string() + ": the tensor '" + name + "' "), std::string::npos)
          << sentence;
      EXPECT_NE(sentence.find(part), std::string::npos) << sentence;
    }
  }

  test::TemporaryDirectory folder_;
  std::vector<float> matrix_{1, 2, 3, 4, 5, 6};
  std::vector<std::int64_t> count_{7, 8};
  std::shared_ptr<const Weights> weights_;
};

TEST_F(WeightsTest, GiveParametersOfTheShapeThatIsExpected) {
  const StoredParameter parameter = weights_->parameter("matrix", {2, 3});
  const float* values = elements<float>(parameter.view);
  EXPECT_EQ(std::vector<float>(values, values + 6), matrix_);
  parameter.release();
  EXPECT_EQ(std::vector<float>(values, values + 6), matrix_) << "pages that were given back are read again";
  expect_refused("matrix", {3, 2}, "expected (3, 2)");
  expect_refused("matrix", {6}, "has shape (2, 3)");
  expect_refused("absent", {2, 3}, "is missing");
  expect_refused("count", {2}, "floating-point");
}

TEST_F(WeightsTest, AreFinite) {
  const auto write = [&](DType dtype, const std::vector<std::uint16_t>& bits) {
    const std::vector<SafetensorsOutput> tensors{
        {"matrix", dtype, {2, 3}, [&](const auto& sink) { sink(std::as_bytes(std::span(bits))); }}};
    write_safetensors(folder_ / "m", {{"tpn.config", to_json(builtin_config("tpn-slowonly-r50-8x8"))}},
                      tensors);
    weights_ = Weights::load(folder_ / "m");
  };
  write(DType::f16, {0, 1, 2, 3, 0xFC00, 5});
  expect_refused("matrix", {2, 3}, "holds -inf at (1, 1)");
  write(DType::bf16, {0, 0x7FC0, 2, 3, 0xFF80, 5});
  expect_refused("matrix", {2, 3}, "holds nan at (0, 1)");
  write(DType::bf16, {0, 0x7C00, 0x7F7F, 0xFC00, 0xFF7F, 5});
  EXPECT_NO_THROW((void)weights_->parameter("matrix", {2, 3}));
}

TEST_F(WeightsTest, ArePackedOnceForEachMemory) {
  int made = 0;
  const auto pack = [&](const std::string& memory, const std::string& key) {
    return weights_->packed(memory).get(key, [&] {
      ++made;
      return HostBuffer(8);
    });
  };
  const PackedWeights::Form host = pack("host", "a");
  EXPECT_EQ(pack("host", "a"), host);
  EXPECT_NE(pack("cuda 0", "a"), host);
  EXPECT_NE(pack("host", "b"), host);
  EXPECT_EQ(made, 3);
}

}  // namespace
}  // namespace tpn
