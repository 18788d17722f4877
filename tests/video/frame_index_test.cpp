#include "engine/video/frame_index.h"

#include <gtest/gtest.h>

namespace tpn {
namespace {

PacketMark key(std::int64_t pts) {
  return {pts, pts, true, true};
}
PacketMark packet(std::int64_t pts) {
  return {pts, pts, false, true};
}
PacketMark hidden(std::int64_t pts) {
  return {pts, pts, false, false};
}

TEST(FrameIndex, NumbersFramesByTheirTimes) {
  const auto index = FrameIndex::make({key(10), packet(40), packet(20), packet(30), hidden(35), key(50)});
  ASSERT_TRUE(index.has_value());
  EXPECT_EQ(index->frames(), 5);
  EXPECT_EQ(index->frame_at(10), 0);
  EXPECT_EQ(index->frame_at(30), 2);
  EXPECT_EQ(index->frame_at(50), 4);
  EXPECT_EQ(index->frame_at(35), std::nullopt);
  EXPECT_EQ(index->frame_at(60), std::nullopt);
}

TEST(FrameIndex, FindsTheLastKeyThatSuffices) {
  // The key of time 50 is followed by two frames that are shown before it and need what precedes it.
  const auto index =
      FrameIndex::make({key(10), packet(20), key(50), packet(30), packet(40), packet(60), key(70)});
  ASSERT_TRUE(index.has_value());
  const auto key_packet = [&](std::int64_t frame) { return index->key_of(frame).packet; };
  EXPECT_EQ(key_packet(0), 0);
  EXPECT_EQ(key_packet(1), 0);
  EXPECT_EQ(key_packet(2), 0);  // 30
  EXPECT_EQ(key_packet(3), 0);  // 40
  EXPECT_EQ(key_packet(4), 2);  // 50
  EXPECT_EQ(key_packet(5), 2);  // 60
  EXPECT_EQ(key_packet(6), 6);
}

TEST(FrameIndex, IsNotMadeWhereTimesDoNotTellFrames) {
  EXPECT_FALSE(FrameIndex::make({}).has_value());
  EXPECT_FALSE(FrameIndex::make({packet(10), key(20)}).has_value());
  EXPECT_FALSE(FrameIndex::make({key(10), packet(20), packet(20)}).has_value());
  EXPECT_FALSE(FrameIndex::make({key(10), packet(PacketMark::no_time)}).has_value());
  EXPECT_FALSE(FrameIndex::make({key(10), packet(5)}).has_value());  // needs what the file does not have
}

}  // namespace
}  // namespace tpn
