#include "kernels/cuda/conv_boxes.h"

#include <algorithm>
#include <tuple>

namespace tpn::cuda {
namespace {

constexpr int step_channels = 64;   // 128 bytes
constexpr int most_stride = 8;      // that a map can express
constexpr int most_extent = 256;    // of a box, in pixels of x
constexpr int most_rows = 1 << 25;  // however badly boxes fit, the rows of all tiles are below 2^31

/// The largest extent of a box in a direction that stays within the limits, for windows `stride` apart.
int most_positions(int out, int stride) {
  return std::min(out, most_extent / stride);
}

/// Calls with(extent) for the extents of boxes, at most `most`, that cut `out` positions differently, each
/// the smallest for its number of boxes: others copy more for nothing.
template <class With>
void for_each_extent(int out, int most, const With& with) {
  for (int extent = most; extent > 0;) {
    const int tiles = tiles_of(out, extent);
    extent = tiles_of(out, tiles);
    with(extent);
    --extent;
  }
}

/// Pixels of x that the box spans of which so many windows read one each under a tap: whole strides, as CUDA
/// asks for.
int pixels_of(int positions, int stride) {
  return positions * stride;
}

}  // namespace

bool takes_boxes(const ConvForm& form) {
  const ConvSizes& s = form.sizes;
  return element_bytes(form.type) == 2 && s.groups == 1 && s.group_channels % step_channels == 0 &&
         form.shift_fold % step_channels == 0 && s.rows <= most_rows &&
         std::max({s.stride.t, s.stride.h, s.stride.w}) <= most_stride;
}

std::vector<ConvStep> step_table(const ProductForm& product) {
  std::vector<ConvStep> table;
  for (std::size_t i = 0; i < product.depth.size(); i += chunk_alignment) {
    const DepthChunk& first = product.depth[i];
    table.push_back({first.channel, first.tap.t, first.tap.h, first.tap.w});
  }
  table.push_back(table.back());
  return table;
}

ConvBoxes choose_boxes(const ConvSizes& sizes, int rows) {
  const ConvSizes& s = sizes;
  const int views = s.rows / (s.out.t * s.out.h * s.out.w);
  ConvBoxes best;
  auto best_cost = std::tuple(std::int64_t{-1}, std::int64_t{0});
  for_each_extent(s.out.w, std::min(rows, most_positions(s.out.w, s.stride.w)), [&](int w) {
    for_each_extent(s.out.h, std::min(rows / w, most_positions(s.out.h, s.stride.h)), [&](int h) {
      for_each_extent(s.out.t, std::min(rows / w / h, most_positions(s.out.t, s.stride.t)), [&](int t) {
        const int n = tiles_of(views, tiles_of(views, std::min(rows / w / h / t, views)));
        const int tiles_w = tiles_of(s.out.w, w), tiles_h = tiles_of(s.out.h, h),
                  tiles_t = tiles_of(s.out.t, t);
        const std::int64_t tiles = std::int64_t{tiles_w} * tiles_h * tiles_t * tiles_of(views, n);
        const int positions = w * h * t * n;
        const std::tuple cost(tiles, tiles * positions);
        if (std::get<0>(best_cost) >= 0 && cost >= best_cost) return;
        best_cost = cost;
        best = {.w = Divider(w),
                .h = Divider(h),
                .t = Divider(t),
                .views = n,
                .rows = positions,
                .tiles_w = Divider(tiles_w),
                .tiles_h = Divider(tiles_h),
                .tiles_t = Divider(tiles_t),
                .all_views = views};
      });
    });
  });
  return best;
}

int tile_count(const ConvBoxes& boxes) {
  return boxes.tiles_w.divisor * boxes.tiles_h.divisor * boxes.tiles_t.divisor *
         tiles_of(boxes.all_views, boxes.views);
}

TensorAxes x_axes(const ConvSizes& sizes, const ConvBoxes& boxes) {
  const ConvSizes& s = sizes;
  const std::int64_t pixel = s.x_stride * 2;  // bytes
  const std::int64_t row = pixel * s.in.w, frame = row * s.in.h, view = frame * s.in.t;
  return {{s.group_channels, 2, step_channels, 1},
          {s.in.w, pixel, pixels_of(boxes.w.divisor, s.stride.w), s.stride.w},
          {s.in.h, row, pixels_of(boxes.h.divisor, s.stride.h), s.stride.h},
          {s.in.t, frame, pixels_of(boxes.t.divisor, s.stride.t), s.stride.t},
          {boxes.all_views, view, boxes.views, 1}};
}

TensorAxes y_axes(const ConvSizes& sizes, const ConvBoxes& boxes) {
  const ConvSizes& s = sizes;
  const std::int64_t pixel = s.y_stride * 2;  // bytes
  const std::int64_t row = pixel * s.out.w, frame = row * s.out.h, view = frame * s.out.t;
  return {{s.columns, 2, step_channels, 1},
          {s.out.w, pixel, boxes.w.divisor, 1},
          {s.out.h, row, boxes.h.divisor, 1},
          {s.out.t, frame, boxes.t.divisor, 1},
          {boxes.all_views, view, boxes.views, 1}};
}

TensorAxes weight_axes(const ConvSizes& sizes, int columns) {
  return {{sizes.row_elements, 2, step_channels, 1},
          {sizes.columns, std::int64_t{2} * sizes.row_elements, columns, 1}};
}

}  // namespace tpn::cuda
