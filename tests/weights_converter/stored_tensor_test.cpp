#include "weights_converter/stored_tensor.h"

#include <cstring>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace tpn {
namespace {

/// 0, 1, 2, ... as a storage.
class StoredTensorTest : public testing::Test {
 protected:
  static constexpr std::size_t count = 300'000;
  StoredTensorTest() : values_(count) { std::iota(values_.begin(), values_.end(), 0); }

  StoredTensor view(const Shape& shape, const std::vector<std::int64_t>& strides, std::int64_t offset = 0) {
    StoredTensor tensor;
    tensor.dtype = DType::i32;
    tensor.shape = shape;
    std::copy(strides.begin(), strides.end(), tensor.strides.begin());
    tensor.offset = offset;
    tensor.storage = std::as_bytes(std::span(values_));
    return tensor;
  }

  static std::vector<std::int32_t> read(const StoredTensor& tensor) {
    std::vector<std::int32_t> elements;
    stream_elements(tensor, [&](std::span<const std::byte> piece) {
      EXPECT_LE(piece.size(), std::size_t{1} << 20);
      EXPECT_EQ(piece.size() % sizeof(std::int32_t), 0U);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece.data()) % sizeof(std::int32_t), 0U);
      const std::size_t before = elements.size();
      elements.resize(before + piece.size() / sizeof(std::int32_t));
      std::memcpy(elements.data() + before, piece.data(), piece.size());
    });
    return elements;
  }

  std::vector<std::int32_t> values_;
};

TEST_F(StoredTensorTest, ContiguousOnesAreNotCopied) {
  const StoredTensor tensor = view({2, 1, 3}, {3, 77, 1}, 4);
  EXPECT_TRUE(tensor.is_contiguous());
  const std::byte* first = nullptr;
  stream_elements(tensor, [&](std::span<const std::byte> piece) { first = piece.data(); });
  EXPECT_EQ(first, reinterpret_cast<const std::byte*>(values_.data() + 4));
  EXPECT_EQ(read(tensor), (std::vector<std::int32_t>{4, 5, 6, 7, 8, 9}));
}

TEST_F(StoredTensorTest, ViewsAreGathered) {
  EXPECT_EQ(read(view({3, 2}, {1, 10}, 5)), (std::vector<std::int32_t>{5, 15, 6, 16, 7, 17}));
  EXPECT_EQ(read(view({2, 3}, {0, 0}, 9)), std::vector<std::int32_t>(6, 9));
  EXPECT_EQ(read(view({2, 2, 2}, {100, 1, 10})),
            (std::vector<std::int32_t>{0, 10, 1, 11, 100, 110, 101, 111}));
  EXPECT_EQ(read(view({2, 2}, {5, 1})), (std::vector<std::int32_t>{0, 1, 5, 6}));
  EXPECT_EQ(read(view({}, {}, 8)), (std::vector<std::int32_t>{8}));
  EXPECT_TRUE(read(view({3, 0}, {1, 1})).empty());
  EXPECT_FALSE(view({3, 2}, {1, 10}).is_contiguous());
}

TEST_F(StoredTensorTest, LargeOnesComeInPieces) {
  EXPECT_EQ(read(view({static_cast<std::int64_t>(count)}, {1})), values_);
  std::vector<std::int32_t> even;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(count); i += 2) even.push_back(i);
  EXPECT_EQ(read(view({static_cast<std::int64_t>(count) / 2}, {2})), even);
}

TEST_F(StoredTensorTest, MisalignedOnesAreAligned) {
  StoredTensor tensor = view({50'000}, {1}, 1);
  std::vector<std::byte> shifted(tensor.storage.size() + 1);
  std::memcpy(shifted.data() + 1, tensor.storage.data(), tensor.storage.size());
  tensor.storage = std::span<const std::byte>(shifted).subspan(1);
  const auto elements = read(tensor);
  ASSERT_EQ(elements.size(), 50'000U);
  EXPECT_EQ(elements.front(), 1);
  EXPECT_EQ(elements.back(), 50'000);
}

TEST(StoredTensor, EveryElementSize) {
  const std::vector<std::uint8_t> bytes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (const DType dtype : {DType::u8, DType::bf16, DType::f32, DType::f64}) {
    StoredTensor tensor;
    tensor.dtype = dtype;
    const std::size_t width = size_of(dtype);
    const auto count = static_cast<std::int64_t>(bytes.size() / width);
    tensor.shape = {2, count / 2};
    tensor.strides = {1, 2};  // columns of the storage
    tensor.storage = std::as_bytes(std::span(bytes));
    std::vector<std::uint8_t> expected;
    for (std::size_t column = 0; column < 2; ++column) {
      for (std::size_t i = column; i < bytes.size() / width; i += 2) {
        for (std::size_t b = 0; b < width; ++b) expected.push_back(bytes[i * width + b]);
      }
    }
    std::vector<std::uint8_t> found;
    stream_elements(tensor, [&](std::span<const std::byte> piece) {
      for (const std::byte b : piece) found.push_back(std::to_integer<std::uint8_t>(b));
    });
    EXPECT_EQ(found, expected) << name_of(dtype);
  }
}

}  // namespace
}  // namespace tpn
