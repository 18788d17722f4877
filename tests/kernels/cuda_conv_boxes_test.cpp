// How convolutions are cut into boxes of tensors, and what those hold.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/conv_boxes.h"
#include "tests/kernels/conv_form_of.h"

namespace tpn::cuda {
namespace {

using test::form_of;

/// Sizes of a pointwise convolution with an output (N,T,H,W) and strides.
ConvSizes sizes_of(const Shape& y, const ops::Extent3& stride = {1, 1, 1}) {
  const Shape x{y[0], y[1] * stride[0], y[2] * stride[1], y[3] * stride[2], 64};
  return form_of({.conv = {.stride = stride}}, x, {8, 64, 1, 1, 1}).sizes;
}

/// The last three have, with a stride of 8 or 2, one position more than a box may span.
const std::vector<Shape>& maps() {
  static const std::vector<Shape> all{{1, 1, 1, 1},   {1, 8, 64, 64},  {30, 8, 64, 64}, {30, 8, 16, 16},
                                      {1, 8, 14, 14}, {2, 8, 7, 7},    {37, 1, 3, 3},   {1, 5, 1, 300},
                                      {3, 1, 9, 17},  {1, 32, 56, 56}, {2, 3, 1, 33},   {2, 1, 33, 2},
                                      {1, 1, 129, 1}};
  return all;
}

TEST(ConvBoxes, TakesStepsOfOneTapAnd64Channels) {
  const Shape x{1, 4, 6, 6, 128}, weight{8, 128, 1, 1, 1};
  EXPECT_TRUE(takes_boxes(form_of({.conv = {}}, x, weight)));
  EXPECT_TRUE(takes_boxes(form_of({.conv = {}}, x, weight, DType::f16)));
  EXPECT_TRUE(takes_boxes(form_of({.conv = {}, .shift_fold = 64}, x, weight)));
  EXPECT_TRUE(takes_boxes(form_of({.conv = {.stride = {1, 8, 8}}}, x, weight)));
  EXPECT_FALSE(takes_boxes(form_of({.conv = {}}, x, weight, DType::f32)));
  EXPECT_FALSE(takes_boxes(form_of({.conv = {}, .shift_fold = 16}, x, weight)));
  EXPECT_FALSE(takes_boxes(form_of({.conv = {.stride = {1, 1, 9}}}, x, weight)));
  EXPECT_FALSE(takes_boxes(form_of({.conv = {.groups = 2}}, x, {8, 64, 1, 1, 1})));
  EXPECT_FALSE(takes_boxes(form_of({.conv = {}}, {1, 4, 6, 6, 96}, {8, 96, 1, 1, 1})));
}

TEST(ConvBoxes, StepsAreThoseOfTheDepth) {
  const ops::FusedConv3d spatial{.conv = {.padding = {0, 1, 1}}}, cubic{.conv = {.padding = {1, 1, 1}}},
      shifted{.conv = {.padding = {0, 1, 1}}, .shift_fold = 64};
  for (const ConvForm& form : {form_of(spatial, {1, 4, 6, 6, 192}, {8, 192, 1, 3, 2}),
                               form_of(cubic, {1, 4, 6, 6, 64}, {8, 64, 3, 3, 3}),
                               form_of(shifted, {1, 4, 6, 6, 192}, {8, 192, 1, 3, 3}),
                               form_of(shifted, {1, 4, 6, 6, 128}, {8, 128, 1, 3, 3})}) {
    ASSERT_TRUE(takes_boxes(form));
    const ProductForm product = product_form(form);
    const std::vector<ConvStep> table = step_table(product);
    ASSERT_EQ(product.depth.size() % chunk_alignment, 0U);
    ASSERT_EQ(table.size(), product.depth.size() / chunk_alignment + 1);
    for (std::size_t i = 0; i < product.depth.size(); ++i) {
      const ConvStep& step = table[i / chunk_alignment];
      const DepthChunk& chunk = product.depth[i];
      EXPECT_EQ(chunk.channel, step.channel + static_cast<int>(i % chunk_alignment) * 8);
      EXPECT_EQ(chunk.begin, chunk.channel);
      EXPECT_EQ(chunk.end, chunk.channel + 8);
      EXPECT_EQ(chunk.tap.t, step.t);
      EXPECT_EQ(chunk.tap.h, step.h);
      EXPECT_EQ(chunk.tap.w, step.w);
    }
  }
}

TEST(ConvBoxes, CoverTheOutputAndFit) {
  for (const Shape& y : maps()) {
    for (const ops::Extent3& stride : {ops::Extent3{1, 1, 1}, {2, 2, 2}, {1, 8, 8}}) {
      const ConvSizes s = sizes_of(y, stride);
      for (const int rows : {64, 128, 192, 256}) {
        SCOPED_TRACE(to_string(y) + " in " + std::to_string(rows));
        const ConvBoxes b = choose_boxes(s, rows);
        EXPECT_EQ(b.all_views, y[0]);
        EXPECT_EQ(b.rows, b.views * b.t.divisor * b.h.divisor * b.w.divisor);
        EXPECT_LE(b.rows, rows);
        // Boxes reach the end of y in every direction, and none lies beyond it.
        const auto covers = [](int tiles, int extent, std::int64_t out) {
          EXPECT_GE(tiles * extent, out);
          EXPECT_LT((tiles - 1) * extent, out);
        };
        covers(b.tiles_w.divisor, b.w.divisor, y[3]);
        covers(b.tiles_h.divisor, b.h.divisor, y[2]);
        covers(b.tiles_t.divisor, b.t.divisor, y[1]);
        const int in_space = b.tiles_w.divisor * b.tiles_h.divisor * b.tiles_t.divisor;
        ASSERT_EQ(tile_count(b) % in_space, 0);
        covers(tile_count(b) / in_space, b.views, y[0]);
        for (const TensorAxis& axis : x_axes(s, b)) {
          EXPECT_LE(axis.box, 256);
          EXPECT_EQ(axis.box % axis.step, 0);
        }
      }
    }
  }
}

TEST(ConvBoxes, WasteLeast) {
  for (const Shape& y : maps()) {
    const ConvSizes s = sizes_of(y);
    for (const int rows : {64, 128, 192, 256}) {
      std::int64_t least = std::numeric_limits<std::int64_t>::max();
      for (std::int64_t w = 1; w <= std::min<std::int64_t>(y[3], rows); ++w) {
        for (std::int64_t h = 1; h <= std::min(y[2], rows / w); ++h) {
          for (std::int64_t t = 1; t <= std::min(y[1], rows / w / h); ++t) {
            const std::int64_t n = std::min(y[0], rows / w / h / t);
            const auto tiles = [](std::int64_t count, std::int64_t by) { return (count + by - 1) / by; };
            least = std::min(least, tiles(y[3], w) * tiles(y[2], h) * tiles(y[1], t) * tiles(y[0], n));
          }
        }
      }
      EXPECT_EQ(tile_count(choose_boxes(s, rows)), least) << to_string(y) << " in " << rows;
    }
  }
  // Maps with powers of two fill tiles of powers of two.
  EXPECT_EQ(tile_count(choose_boxes(sizes_of({30, 8, 16, 16}), 128)), 480);
  EXPECT_EQ(tile_count(choose_boxes(sizes_of({30, 8, 16, 16}), 192)), 320);
}

TEST(ConvBoxes, AxesAreThoseOfXAndTheWeights) {
  const ops::FusedConv3d op{.conv = {.stride = {1, 2, 3}, .padding = {0, 1, 1}}};
  ConvSizes s = product_form(form_of(op, {5, 4, 8, 20, 128}, {40, 128, 1, 3, 3})).form.sizes;
  s.x_stride = 136;                             // a slice of a wider tensor
  const ConvBoxes boxes = choose_boxes(s, 64);  // of y: 5 x 4 x 4 x 7
  const TensorAxes x = x_axes(s, boxes);
  ASSERT_EQ(x.size(), 5U);
  const auto expect = [](const TensorAxis& axis, std::int64_t extent, std::int64_t stride, int box,
                         int step) {
    EXPECT_EQ(axis.extent, extent);
    EXPECT_EQ(axis.stride, stride);
    EXPECT_EQ(axis.box, box);
    EXPECT_EQ(axis.step, step);
  };
  expect(x[0], 128, 2, 64, 1);
  expect(x[1], 20, 272, boxes.w.divisor * 3, 3);
  expect(x[2], 8, 272 * 20, boxes.h.divisor * 2, 2);
  expect(x[3], 4, 272 * 20 * 8, boxes.t.divisor, 1);
  expect(x[4], 5, 272 * 20 * 8 * 4, boxes.views, 1);
  const TensorAxes weights = weight_axes(s, 32);
  ASSERT_EQ(weights.size(), 2U);
  expect(weights[0], 1152, 2, 64, 1);
  expect(weights[1], 40, 2304, 32, 1);
}

}  // namespace
}  // namespace tpn::cuda
