// How convolutions are cut for the kernels of CUDA: the order of the depth, tiles and splits.
#include <algorithm>
#include <map>
#include <random>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/conv3d_weight_gradient.h"
#include "kernels/cuda/conv_data_gradient_form.h"
#include "kernels/cuda/conv_schedule.h"
#include "kernels/cuda/fused_conv3d.h"
#include "tests/kernels/conv_form_of.h"

namespace tpn::cuda {
namespace {

using test::form_of;

/// An H100's.
constexpr ConvDevice large_device{132, 227 * 1024, 228 * 1024, 1300, 2048};
/// A GeForce RTX 30's.
constexpr ConvDevice small_device{82, 99 * 1024, 100 * 1024, 512};

TEST(Divider, IsExact) {
  std::mt19937 generator(1);
  std::vector<int> divisors{1, 2, 3, 7, 64, 65, 112, 65535, 65536, 65537, (1 << 30) + 1, 2147483647};
  for (int i = 0; i < 200; ++i) divisors.push_back(static_cast<int>(generator() >> (1 + i % 30)) + 1);
  for (const int by : divisors) {
    const Divider divider(by);
    std::vector<std::uint32_t> values{0, 1, 2147483647, 2147483646};
    for (std::uint32_t k = 1; k < 100; ++k) {  // about multiples, where a quotient steps
      const std::uint64_t multiple =
          std::uint64_t{generator() >> 1} / static_cast<unsigned>(by) * static_cast<unsigned>(by);
      for (const std::uint64_t n : {multiple - 1, multiple, multiple + 1}) {
        if (n < 2147483648U) values.push_back(static_cast<std::uint32_t>(n));
      }
    }
    for (const std::uint32_t n : values) {
      EXPECT_EQ(std::uint64_t{n} * divider.multiplier >> divider.shift, n / static_cast<unsigned>(by))
          << n << " / " << by;
    }
  }
}

/// How often the depth has each weight (t,h,w,channel), and that its chunks are aligned.
std::map<std::tuple<int, int, int, int>, int> weights_in(const ProductForm& product) {
  std::map<std::tuple<int, int, int, int>, int> count;
  for (const DepthChunk& chunk : product.depth) {
    EXPECT_EQ(chunk.channel % 8, 0);
    EXPECT_GE(chunk.begin, chunk.channel);
    EXPECT_LE(chunk.end, chunk.channel + 8);
    for (int c = chunk.begin; c < chunk.end; ++c)
      ++count[{chunk.weight.t, chunk.weight.h, chunk.weight.w, c}];
  }
  return count;
}

TEST(ConvForm, RefusesMoreRowsThanKernelsCount) {
  constexpr std::int64_t most = (std::int64_t{1} << 31) - 1025;
  const auto rows = [](std::int64_t w) {  // in f32 and of 4 channels: one vector a pixel is all the padding
    return form_of({.conv = {}}, {1, 1, 1, w, 8}, {8, 8, 1, 1, 1}).sizes.rows;
  };
  EXPECT_EQ(rows(most), most);
  EXPECT_THROW((void)rows(most + 1), Error);
  EXPECT_THROW((void)form_of({.conv = {}}, {1 << 11, 1, 1 << 10, 1 << 10, 8}, {8, 8, 1, 1, 1}), Error);
}

TEST(ProductForm, HasEveryWeightOnce) {
  for (const std::int64_t channels : {3, 8, 64, 72, 200}) {
    for (const std::int64_t fold : {0, 1, 5, 8}) {
      if (2 * fold > channels) continue;
      const ops::FusedConv3d op{.conv = {.padding = {0, 1, 1}}, .shift_fold = fold};
      const ProductForm product = product_form(form_of(op, {1, 4, 6, 6, channels}, {8, channels, 1, 3, 2}));
      const auto count = weights_in(product);
      EXPECT_EQ(count.size(), static_cast<std::size_t>(channels * 6));
      EXPECT_TRUE(
          std::all_of(count.begin(), count.end(), [](const auto& entry) { return entry.second == 1; }));
    }
  }
}

TEST(ProductForm, ReadsShiftedChannelsFromTheirFrames) {
  const ops::FusedConv3d op{.conv = {}, .shift_fold = 3};
  const ProductForm product = product_form(form_of(op, {1, 4, 6, 6, 16}, {8, 16, 1, 1, 1}));
  for (const DepthChunk& chunk : product.depth) {
    for (int c = chunk.begin; c < chunk.end; ++c) EXPECT_EQ(chunk.tap.t, c < 3 ? 2 : (c < 6 ? 0 : 1)) << c;
  }
  EXPECT_EQ(product.depth.size(), 4U);  // three frames in the first chunk, one in the second
}

TEST(ProductForm, TableEndsWithChunksThatNoRowHas) {
  const ProductForm product = product_form(form_of({.conv = {}}, {1, 2, 6, 6, 24}, {8, 24, 1, 1, 1}));
  const std::vector<ConvChunk> table = chunk_table(product);
  ASSERT_EQ(table.size(), 16U);
  EXPECT_EQ(product.form.sizes.row_elements, 64);
  for (std::size_t i = 0; i < table.size(); ++i) EXPECT_EQ(table[i].needs == no_tap, i >= 3) << i;
}

TEST(ProductForm, LeavesWhatCannotBeAProduct) {
  const Shape x{1, 4, 6, 6, 24};
  EXPECT_TRUE(is_product(form_of({.conv = {}}, x, {8, 24, 1, 1, 1})));
  EXPECT_TRUE(is_product(form_of({.conv = {.groups = 3}}, x, {24, 8, 1, 1, 1})));
  EXPECT_FALSE(is_product(form_of({.conv = {.groups = 6}}, x, {24, 4, 1, 1, 1})));
  EXPECT_FALSE(is_product(form_of({.conv = {.groups = 3}}, x, {12, 8, 1, 1, 1})));
  EXPECT_FALSE(is_product(form_of({.conv = {.padding = {1, 0, 0}}, .shift_fold = 3}, x, {8, 24, 3, 1, 1})));
  // A frame of 2^28 pixels of 8 channels: 31 bits do not address its tiles.
  EXPECT_FALSE(is_product(form_of({.conv = {}}, {1, 1, 16384, 16384, 8}, {8, 8, 1, 1, 1})));
}

TEST(ConvForm, CountsThePixelsThatAreRead) {
  EXPECT_EQ(form_of({.conv = {.stride = {1, 2, 2}}}, {2, 3, 8, 8, 8}, {8, 8, 1, 1, 1}).touched,
            2 * 3 * 4 * 4);
  EXPECT_EQ(form_of({.conv = {.padding = {0, 1, 1}}}, {2, 3, 8, 8, 8}, {8, 8, 1, 3, 3}).touched,
            2 * 3 * 8 * 8);
}

TEST(ConvSchedule, CoversTheProduct) {
  const ConvForm form =
      product_form(form_of({.conv = {.padding = {1, 0, 0}}}, {1, 8, 9, 9, 264}, {72, 264, 3, 1, 1})).form;
  for (const ConvVariant& variant : conv_variants(ConvType::bf16)) {
    for (int splits = 1; splits < 40; ++splits) {
      const ConvSchedule s = choose_schedule(form, variant, splits, large_device).schedule;
      EXPECT_GE(s.row_tiles * variant.tile.rows, form.sizes.rows);
      EXPECT_GE(s.column_tiles * variant.tile.columns, form.sizes.columns);
      EXPECT_GE(s.steps * variant.tile.depth_bytes / 16, form.sizes.chunks);
      EXPECT_LE(s.splits, splits);
      EXPECT_GE(s.splits * s.split_steps, s.steps);
      EXPECT_LT((s.splits - 1) * s.split_steps, s.steps);  // none is empty
      EXPECT_LE(s.band, s.row_tiles);
    }
  }
}

TEST(ConvSchedule, SplitsTheDepthOfLayersWithFewPositionsOnly) {
  const ops::FusedConv3d op{.conv = {.padding = {1, 0, 0}}};
  const auto best = [&](std::int64_t views) {
    const ConvForm form = product_form(form_of(op, {views, 8, 8, 8, 2048}, {512, 2048, 3, 1, 1})).form;
    return conv_choices(form, conv_variants(ConvType::bf16), large_device).front().schedule;
  };
  EXPECT_GT(best(1).splits, 1);
  EXPECT_EQ(best(120).splits, 1);
}

TEST(ConvSchedule, LeavesOutWhatDoesNotFitTheDevice) {
  const ConvForm form = product_form(form_of({.conv = {}}, {1, 8, 8, 8, 64}, {64, 64, 1, 1, 1})).form;
  const auto variants = conv_variants(ConvType::bf16);
  const std::vector<ConvChoice> choices = conv_choices(form, variants, small_device);
  EXPECT_GE(choices.size(), 4U);
  for (const ConvChoice& choice : choices) EXPECT_LE(choice.variant.tile.shared_bytes, 99 * 1024);
  EXPECT_GT(conv_choices(form, variants, large_device).size(), choices.size());
  EXPECT_TRUE(std::is_sorted(choices.begin(), choices.end(),
                             [](const auto& a, const auto& b) { return a.clocks < b.clocks; }));
}

TEST(ConvSchedule, TakesWarpGroupsWhereDeviceAndConvolutionHaveThem) {
  const auto boxes = [](const ConvForm& form, const ConvDevice& device) {
    const auto choices = conv_choices(form, conv_variants(form.type), device);
    return std::count_if(choices.begin(), choices.end(), [](const auto& c) { return c.variant.tile.boxes; });
  };
  const auto product = [](std::int64_t channels) {
    return product_form(form_of({.conv = {}}, {1, 8, 8, 8, channels}, {64, channels, 1, 1, 1})).form;
  };
  ConvDevice without = large_device;
  without.warp_group_products_per_clock = 0;
  EXPECT_GT(boxes(product(64), large_device), 0);
  EXPECT_EQ(boxes(product(96), large_device), 0);
  EXPECT_EQ(boxes(product(64), without), 0);
}

TEST(ConvSchedule, PrefersWarpGroupsForLargeLayers) {
  const ops::FusedConv3d op{.conv = {.padding = {0, 1, 1}}};
  const ConvForm form = product_form(form_of(op, {30, 8, 16, 16, 256}, {256, 256, 1, 3, 3})).form;
  EXPECT_TRUE(conv_choices(form, conv_variants(ConvType::bf16), large_device).front().variant.tile.boxes);
}

TEST(WeightGradientSchedule, CoversTheProduct) {
  const ConvForm form =
      product_form(form_of({.conv = {.padding = {1, 0, 0}}}, {1, 8, 9, 9, 192}, {72, 192, 3, 1, 1})).form;
  for (const WeightGradientVariant& variant : weight_gradient_variants(ConvType::bf16)) {
    const ConvTile& tile = variant.tile;
    for (int splits = 1; splits < 40; ++splits) {
      const ConvSchedule s = choose_schedule(form, variant, splits, large_device).schedule;
      EXPECT_GE(s.row_tiles * tile.rows, form.sizes.columns);
      EXPECT_GE(s.column_tiles * tile.columns, form.sizes.chunks * 8);
      EXPECT_GE(s.steps * tile.depth_bytes / 2, form.sizes.rows);
      EXPECT_LE(s.splits, splits);
      EXPECT_GE(s.splits * s.split_steps, s.steps);
      EXPECT_LT((s.splits - 1) * s.split_steps, s.steps);  // none is empty
    }
  }
}

TEST(WeightGradientSchedule, FillsTheMachineByParts) {
  struct Layer {
    Shape x, weight;
    ops::Conv3d conv;
  };
  const std::vector<Layer> layers{{{8, 8, 56, 56, 64}, {64, 64, 1, 3, 3}, {.padding = {0, 1, 1}}},
                                  {{8, 8, 56, 56, 64}, {256, 64, 1, 1, 1}, {}},
                                  {{8, 8, 14, 14, 1024}, {256, 1024, 3, 1, 1}, {.padding = {1, 0, 0}}},
                                  {{8, 8, 7, 7, 512}, {512, 512, 1, 3, 3}, {.padding = {0, 1, 1}}}};
  int by_warp_groups = 0;
  for (const Layer& layer : layers) {
    const ConvForm form = product_form(form_of({.conv = layer.conv}, layer.x, layer.weight)).form;
    const auto choices =
        weight_gradient_choices(form, weight_gradient_variants(ConvType::bf16), large_device);
    ASSERT_FALSE(choices.empty());
    const auto& [variant, s, clocks] = choices.front();
    by_warp_groups += variant.tile.boxes ? 1 : 0;
    EXPECT_GE(s.row_tiles * s.column_tiles * s.splits, large_device.multiprocessors * 3 / 4);
    EXPECT_LE(weight_partial_bytes(form, s), 1 << 26);
    EXPECT_TRUE(std::ranges::is_sorted(choices, {}, &WeightGradientChoice::clocks));
  }
  EXPECT_GE(by_warp_groups, 2);
}

/// How often each tap of the weight meets each position of x in a direction of the products, as (position,
/// tap) -> window.
std::map<std::pair<int, int>, int> meetings(const ConvForm& forward) {
  std::map<std::pair<int, int>, int> found;
  for (const ProductForm& product : data_gradient_products(forward)) {
    const ConvSizes& s = product.form.sizes;
    for (int row = 0; row < s.out.w; ++row) {
      const int position = s.scatter.used ? s.scatter.first.w + row * s.scatter.step.w : row;
      for (const DepthChunk& chunk : product.depth) {
        const int window = row - s.padding.w + chunk.tap.w;
        if (chunk.channel > 0 || window < 0 || window >= s.in.w) continue;
        EXPECT_TRUE(found.emplace(std::pair(position, chunk.weight.w), window).second);
      }
    }
  }
  return found;
}

TEST(DataGradientProducts, HaveEveryMeetingOfAWindowAndATapOnce) {
  for (const std::int64_t kernel : {1, 2, 3, 7}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const std::int64_t padding : {0, 1, 3}) {
        const ops::Conv3d conv{.stride = {1, 1, stride}, .padding = {0, 0, padding}};
        const ConvForm forward = form_of({.conv = conv}, {1, 1, 1, 11, 8}, {8, 8, 1, 1, kernel});
        std::map<std::pair<int, int>, int> expected;
        for (int window = 0; window < forward.sizes.out.w; ++window) {
          for (int tap = 0; tap < kernel; ++tap) {
            const int position = static_cast<int>(window * stride + tap - padding);
            if (position >= 0 && position < 11) expected[{position, tap}] = window;
          }
        }
        EXPECT_EQ(meetings(forward), expected) << kernel << " " << stride << " " << padding;
        EXPECT_EQ(has_gaps(forward), stride > kernel);
      }
    }
  }
}

}  // namespace
}  // namespace tpn::cuda
