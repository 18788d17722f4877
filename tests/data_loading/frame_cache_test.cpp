#include "engine/data/frame_cache.h"

#include <gtest/gtest.h>

#include "tests/support/images.h"

namespace tpn {
namespace {

using test::equal_pixels;

TEST(FrameCache, KeepsFramesUntilItIsFull) {
  constexpr std::int64_t frame_bytes = 3 * 5 * 4;
  FrameCache cache(2, 2 * frame_bytes + 1);
  const Image first = test::random_image({5, 4}, 1);
  const Image second = test::random_image({5, 4}, 2);
  cache.add(0, 7, first.view());
  cache.add(1, 7, second.view());
  cache.add(1, 8, second.view());
  EXPECT_EQ(cache.bytes(), 2 * frame_bytes);
  ASSERT_NE(cache.frame(0, 7), nullptr);
  ASSERT_NE(cache.frame(1, 7), nullptr);
  EXPECT_TRUE(equal_pixels(cache.frame(0, 7)->view(), first.view()));
  EXPECT_TRUE(equal_pixels(cache.frame(1, 7)->view(), second.view()));
  EXPECT_EQ(cache.frame(1, 8), nullptr);
  EXPECT_EQ(cache.frame(0, 8), nullptr);
}

TEST(FrameCache, CountsAFrameOnce) {
  FrameCache cache(1, 1000);
  const Image image = test::random_image({5, 4}, 1);
  cache.add(0, 0, image.view());
  cache.add(0, 0, image.view());
  EXPECT_EQ(cache.bytes(), 60);
}

TEST(FrameCache, KeepsReadersInAnyCase) {
  FrameCache cache(2, 0);
  EXPECT_EQ(cache.reader(1), nullptr);
  const std::shared_ptr<const FrameReader> reader = open_frames(TPN_TEST_DATA "/video/odd.avi");
  EXPECT_EQ(cache.add(1, reader), reader);
  EXPECT_EQ(cache.add(1, open_frames(TPN_TEST_DATA "/video/odd.avi")), reader);
  EXPECT_EQ(cache.reader(1), reader);
  EXPECT_EQ(cache.reader(0), nullptr);
  EXPECT_EQ(cache.bytes(), static_cast<std::int64_t>(reader->bytes()));
}

}  // namespace
}  // namespace tpn
