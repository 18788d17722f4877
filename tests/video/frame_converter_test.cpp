#include "engine/video/frame_converter.h"

#include <algorithm>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "engine/video/ffmpeg.h"

namespace tpn {
namespace {

/// A picture in YUV 4:2:0 whose rows are of one colour each.
class RowsOfColor {
 public:
  static constexpr int side = 32;

  /// luma(row) and red_chroma(row of chroma) give the values.
  template <class Luma, class RedChroma>
  RowsOfColor(AVColorRange range, const Luma& luma, const RedChroma& red_chroma) : frame_(av_frame_alloc()) {
    frame_->format = AV_PIX_FMT_YUV420P;
    frame_->width = side;
    frame_->height = side;
    frame_->color_range = range;
    frame_->colorspace = AVCOL_SPC_BT470BG;
    if (av_frame_get_buffer(frame_.get(), 0) < 0) throw std::bad_alloc();
    for (int row = 0; row < side; ++row) fill(0, row, side, luma(row));
    for (int row = 0; row < side / 2; ++row) {
      fill(1, row, side / 2, 128);
      fill(2, row, side / 2, red_chroma(row));
    }
  }

  /// The red of each row as it is converted.
  [[nodiscard]] std::vector<int> red(bool accurate_color) const {
    FrameConverter converter({side, side}, accurate_color);
    const ImageView picture = converter.convert(*frame_, {});
    std::vector<int> values;
    for (int row = 0; row < side; ++row) values.push_back(picture.row(row)[3 * (side / 2)]);
    return values;
  }

 private:
  void fill(std::size_t plane, int row, int width, int value) {
    std::fill_n(frame_->data[plane] + row * frame_->linesize[plane], width, static_cast<std::uint8_t>(value));
  }

  ffmpeg::Frame frame_;
};

TEST(FrameConverter, KnowsWhatRangeLumaHas) {
  const auto grey = [](int) { return 128; };
  const auto luma = [](int row) { return 20 + 6 * row; };
  for (const bool accurate : {false, true}) {
    const auto limited = RowsOfColor(AVCOL_RANGE_MPEG, luma, grey).red(accurate);
    const auto full = RowsOfColor(AVCOL_RANGE_JPEG, luma, grey).red(accurate);
    EXPECT_EQ(RowsOfColor(AVCOL_RANGE_UNSPECIFIED, luma, grey).red(accurate), limited);
    for (int row = 0; row < RowsOfColor::side; ++row) {
      const auto i = static_cast<std::size_t>(row);
      EXPECT_NEAR(limited[i], (luma(row) - 16) * 255.0 / 219, 1.5) << row;
      EXPECT_NEAR(full[i], luma(row), 1.5) << row;
    }
  }
}

// A step of chroma lies between rows 15 and 16, and so the transition is symmetric about it.
TEST(FrameConverter, TakesChromaToLieHalfwayBetweenRows) {
  const auto step = [](int row) { return row < RowsOfColor::side / 4 ? 108 : 148; };
  const auto gray = [](int) { return 126; };
  const auto red = RowsOfColor(AVCOL_RANGE_MPEG, gray, step).red(true);
  EXPECT_NEAR(red.back() - red.front(), 40 * 1.596, 3);
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_NEAR(red[15 - i] + red[16 + i], red.front() + red.back(), 3) << i << " rows from the step";
  }
  EXPECT_LT(red[15], red[16]);
}

}  // namespace
}  // namespace tpn
