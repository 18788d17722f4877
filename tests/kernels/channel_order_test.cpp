#include "kernels/channel_order.h"

#include <numeric>

#include <gtest/gtest.h>

namespace tpn {
namespace {

std::vector<float> numbered(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.count()));
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

TEST(ChannelOrder, BringsChannelsOutsideAndBack) {
  const Shape shape{2, 3, 4, 5, 6};  // (N,T,H,W,C)
  const std::vector<float> last = numbered(shape);
  const std::vector<float> first = channels_first(last, shape);
  std::size_t i = 0;
  for (std::int64_t n = 0; n < 2; ++n)
    for (std::int64_t c = 0; c < 6; ++c)
      for (std::int64_t cell = 0; cell < 3 * 4 * 5; ++cell)
        ASSERT_EQ(first[i++], last[static_cast<std::size_t>((n * 60 + cell) * 6 + c)]);
  EXPECT_EQ(channels_last(first, shape), last);
}

TEST(ChannelOrder, SwapsNeighbouringAxes) {
  const Shape shape{2, 3, 4, 5};
  const std::vector<float> values = numbered(shape), swapped = swap_axes(values, shape, 1);
  std::size_t i = 0;
  for (std::int64_t a = 0; a < 2; ++a)
    for (std::int64_t c = 0; c < 4; ++c)
      for (std::int64_t b = 0; b < 3; ++b)
        for (std::int64_t d = 0; d < 5; ++d)
          ASSERT_EQ(swapped[i++], values[static_cast<std::size_t>(((a * 3 + b) * 4 + c) * 5 + d)]);
  EXPECT_EQ(swap_axes(swapped, {2, 4, 3, 5}, 1), values);
}

}  // namespace
}  // namespace tpn
