#include "kernels/buffer_pool.h"

#include <new>

#include <gtest/gtest.h>

#include "kernels/error.h"

namespace tpn {
namespace {

/// A pool of host memory that tells how much of it there is.
class CountedPool : public testing::Test {
 protected:
  static void release(std::byte* data) noexcept {
    --alive_;
    delete[] data;
  }
  Buffer allocate(std::size_t bytes) {
    if (alive_ == most_) throw OutOfMemory("no more");
    ++alive_;
    ++allocated_;
    return {new std::byte[bytes], bytes, release};
  }
  void SetUp() override { alive_ = 0; }
  void TearDown() override {
    pool_.reset();
    EXPECT_EQ(alive_, 0) << "memory was lost";
  }

  static inline int alive_ = 0;
  int allocated_ = 0;
  int most_ = 100;
  std::unique_ptr<BufferPool> pool_ =
      std::make_unique<BufferPool>([this](std::size_t bytes) { return allocate(bytes); });
};

TEST_F(CountedPool, UsesAgainWhatIsLargeEnough) {
  const std::byte* first = pool_->take(1000)->data();
  EXPECT_EQ(pool_->take(1000)->data(), first);
  EXPECT_EQ(pool_->take(10)->data(), first);
  EXPECT_EQ(allocated_, 1);
  const std::shared_ptr<const Buffer> larger = pool_->take(1001);
  EXPECT_GE(larger->bytes(), 1001U);
  EXPECT_EQ(allocated_, 2);
}

TEST_F(CountedPool, LendsABufferToOneAtATime) {
  const auto a = pool_->take(100), b = pool_->take(100);
  EXPECT_NE(a->data(), b->data());
  EXPECT_EQ(allocated_, 2);
}

TEST_F(CountedPool, KeepsTheLastThree) {
  {
    std::vector<std::shared_ptr<const Buffer>> taken;
    for (std::size_t i = 1; i <= 8; ++i) taken.push_back(pool_->take(100 * i));
    for (auto& buffer : taken) buffer.reset();
  }
  EXPECT_EQ(alive_, 3);
  EXPECT_EQ(pool_->take(600)->bytes(), 600U) << "the three that came back last are those of 600 to 800 bytes";
}

TEST_F(CountedPool, GivesUpWhatIsUnusedWhenMemoryRunsOut) {
  most_ = 2;
  {
    const auto a = pool_->take(10);
    const auto b = pool_->take(10);
  }
  EXPECT_EQ(alive_, 2);
  const auto large = pool_->take(1000);
  EXPECT_EQ(large->bytes(), 1000U);
  EXPECT_EQ(alive_, 1);
  const auto second = pool_->take(1000);
  EXPECT_THROW((void)pool_->take(1000), OutOfMemory) << "nothing is left to be given up";
}

TEST_F(CountedPool, IsOutlivedByItsBuffers) {
  auto buffer = pool_->take(100);
  pool_.reset();
  EXPECT_EQ(alive_, 1);
  buffer.reset();
  EXPECT_EQ(alive_, 0);
}

}  // namespace
}  // namespace tpn
