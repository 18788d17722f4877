#include "kernels/packed_weights.h"

#include <cstring>

#include <gtest/gtest.h>

#include "kernels/half.h"
#include "kernels/reference_backend.h"

namespace tpn {
namespace {

TEST(PackedWeights, KeepAFormAsLongAsItIsUsed) {
  PackedWeights weights;
  int made = 0;
  const auto get = [&](const std::string& key) {
    return weights.get(key, [&] {
      ++made;
      return HostBuffer(8);
    });
  };
  PackedWeights::Form first = get("a"), again = get("a");
  EXPECT_EQ(first, again);
  EXPECT_NE(get("b"), first);
  EXPECT_EQ(made, 2);
  first.reset();
  EXPECT_EQ(get("a"), again);
  again.reset();
  EXPECT_NE(get("a"), nullptr);
  EXPECT_EQ(made, 3);
}

TEST(PackedWeights, MakeAFormAnewAfterAFailure) {
  PackedWeights weights;
  EXPECT_THROW((void)weights.get("a", []() -> Buffer { throw Error("It cannot be made."); }), Error);
  EXPECT_NE(weights.get("a", [] { return HostBuffer(8); }), nullptr);
}

/// The sum of its two sources.
class Sum final : public Packing {
 public:
  explicit Sum(std::span<const Operand> operands) : Packing("sum", operands, {1, 2}, 2 * sizeof(float)) {}

  void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream&) const override {
    for (std::size_t i = 0; i < 2; ++i) {
      elements<float>(TensorView{packed, DType::f32, {2}})[i] =
          elements<float>(sources[0])[i] + elements<float>(sources[1])[i];
    }
  }
  void check(std::span<const ConstTensorView> sources) const override {
    if (elements<float>(sources[0])[0] < 0) throw Error("It is negative.");
  }
};

class Pack : public ::testing::Test {
 protected:
  Pack() {
    for (const char* name : {"x", "a", "b"}) operands_.push_back({.shape = {2}, .name = name});
    std::memcpy(memory_.data() + 1, half_.data(), 4);  // aligned in no way
    std::memcpy(memory_.data() + 5, single_.data(), 8);
  }

  [[nodiscard]] std::vector<StoredParameter> stored() {
    const auto released = [this] { ++released_; };
    return {{{memory_.data() + 1, DType::f16, {2}}, released},
            {{memory_.data() + 5, DType::f32, {2}}, released}};
  }
  static std::vector<float> floats(const Buffer& buffer) {
    const auto* const values = reinterpret_cast<const float*>(buffer.data());
    return {values, values + buffer.bytes() / sizeof(float)};
  }

  std::vector<Operand> operands_;
  std::array<F16, 2> half_{F16(1.5F), F16(-2)};
  std::array<float, 2> single_{10, 20};
  std::array<std::byte, 16> memory_{};
  int released_ = 0;
};

TEST_F(Pack, GivesThePackingFloatsAndReleasesWhatWasStored) {
  const Sum sum(operands_);
  EXPECT_EQ(sum.key(), "sum|a|b");
  for (const std::int64_t alignment : {1, 8}) {  // in the host's memory, and in one of the backend's own
    released_ = 0;
    EXPECT_EQ(floats(pack(sum, stored(), ReferenceBackend(alignment))), (std::vector<float>{11.5F, 18}));
    EXPECT_EQ(released_, 2);
  }
}

TEST_F(Pack, ChecksBeforeItPacks) {
  half_[0] = F16(-1);
  std::memcpy(memory_.data() + 1, half_.data(), 4);
  EXPECT_THROW((void)pack(Sum(operands_), stored(), ReferenceBackend()), Error);
}

TEST_F(Pack, UploadsFloats) {
  EXPECT_EQ(floats(upload(stored()[0], ReferenceBackend())), (std::vector<float>{1.5F, -2}));
  EXPECT_EQ(floats(upload(stored()[1], ReferenceBackend(8))), (std::vector<float>{10, 20}));
  EXPECT_EQ(released_, 2);
}

}  // namespace
}  // namespace tpn
