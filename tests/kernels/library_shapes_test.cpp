// What the libraries are asked for, without them.
#include "kernels/cuda/libraries/library_shapes.h"

#include <gtest/gtest.h>

namespace tpn::cuda {
namespace {

/// A convolution's signature, built from shapes alone.
class Signed {
 public:
  Signed(ops::FusedConv3d op, const Shape& x, const Shape& weight, DType dtype = DType::bf16,
         bool tf32 = false, std::int64_t extra_output_stride = 0)
      : op_(op) {
    std::vector<Shape> shapes{x, weight};
    if (op.norm) shapes.insert(shapes.end(), 4, Shape{weight[0]});
    const Shape y = op.conv.output(x, weight);
    if (op.residual) {
      shapes.push_back(y);
      if (op.one_frame_residual) shapes.back()[1] = 1;
    }
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const bool activation = i == 0 || (op.residual && i + 1 == shapes.size());
      inputs_.push_back(
          {shapes[i], activation ? dtype : DType::f32, activation ? (shapes[i][4] + 7) / 8 * 8 : 0});
    }
    outputs_.push_back({y, dtype, (y[4] + 7) / 8 * 8 + extra_output_stride});
    tf32_ = tf32;
  }

  [[nodiscard]] Signature signature() { return {inputs_, outputs_, tf32_}; }
  Result<GemmShape> gemm() { return gemm_shape(*library_operation(op_, signature())); }
  Result<Conv2dShape> conv2d() { return conv2d_shape(*library_operation(op_, signature())); }

 private:
  ops::FusedConv3d op_;
  std::vector<Operand> inputs_, outputs_;
  bool tf32_;
};

TEST(GemmShape, IsAPointwiseConvolution) {
  Signed conv({.conv = {}, .norm = true, .residual = true, .relu = true}, {2, 8, 16, 16, 256},
              {1024, 256, 1, 1, 1});
  const Result<GemmShape> shape = conv.gemm();
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(*shape, (GemmShape{.dtype = DType::bf16,
                               .tf32 = false,
                               .rows = 2 * 8 * 16 * 16,
                               .inputs = 256,
                               .outputs = 1024,
                               .x_stride = 256,
                               .y_stride = 1024,
                               .residual_stride = 1024,
                               .bias = true,
                               .residual = true,
                               .relu = true}));
}

TEST(GemmShape, PadsChannelsAndWritesSlices) {
  Signed conv({}, {1, 2, 3, 5, 7}, {12, 7, 1, 1, 1}, DType::f32, true, 40);
  const Result<GemmShape> shape = conv.gemm();
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(shape->inputs, 8);
  EXPECT_EQ(shape->x_stride, 8);
  EXPECT_EQ(shape->outputs, 16);
  EXPECT_EQ(shape->y_stride, 56);
  EXPECT_TRUE(shape->tf32);
  EXPECT_FALSE(shape->bias);
}

TEST(GemmShape, IsNothingElse) {
  const Shape x{2, 4, 6, 6, 16}, weight{16, 16, 1, 1, 1};
  const auto refused = [&](const ops::FusedConv3d& op, const Shape& w) {
    return !Signed(op, x, w).gemm().ok();
  };
  EXPECT_FALSE(refused({}, weight));
  EXPECT_TRUE(refused({.conv = {.stride = {1, 2, 2}}}, weight));
  EXPECT_TRUE(refused({.conv = {.stride = {2, 1, 1}}}, weight));
  EXPECT_TRUE(refused({.conv = {.padding = {0, 1, 1}}}, weight));
  EXPECT_TRUE(refused({.conv = {.padding = {1, 0, 0}}}, {16, 16, 3, 1, 1}));
  EXPECT_TRUE(refused({.conv = {.groups = 2}}, {16, 8, 1, 1, 1}));
  EXPECT_TRUE(refused({.conv = {}, .shift_fold = 4}, weight));
  EXPECT_TRUE(refused({.conv = {}, .residual = true, .one_frame_residual = true}, weight));
}

TEST(Conv2dShape, InSpaceSeesFramesAsImages) {
  Signed conv({.conv = {.stride = {1, 2, 2}, .padding = {0, 3, 3}}, .norm = true, .relu = true},
              {2, 8, 20, 18, 3}, {64, 3, 1, 7, 7}, DType::bf16, false, 64);
  const Result<Conv2dShape> shape = conv.conv2d();
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(shape->x, (Images{16, 20, 18, 8, 20 * 18 * 8, 18 * 8, 8}));
  EXPECT_EQ(shape->y, (Images{16, 10, 9, 64, 10 * 9 * 128, 9 * 128, 128}));
  EXPECT_EQ(shape->kernel, (std::array<std::int64_t, 2>{7, 7}));
  EXPECT_EQ(shape->stride, (std::array<std::int64_t, 2>{2, 2}));
  EXPECT_EQ(shape->padding, (std::array<std::int64_t, 2>{3, 3}));
  EXPECT_TRUE(shape->bias && shape->relu && !shape->residual);
}

TEST(Conv2dShape, InTimeSeesClipsAsImages) {
  Signed conv({.conv = {.padding = {1, 0, 0}}}, {2, 8, 4, 5, 32}, {16, 32, 3, 1, 1});
  const Result<Conv2dShape> shape = conv.conv2d();
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(shape->x, (Images{2, 8, 20, 32, 8 * 20 * 32, 20 * 32, 32}));
  EXPECT_EQ(shape->y, (Images{2, 8, 20, 16, 8 * 20 * 16, 20 * 16, 16}));
  EXPECT_EQ(shape->kernel, (std::array<std::int64_t, 2>{3, 1}));
  EXPECT_EQ(shape->padding, (std::array<std::int64_t, 2>{1, 0}));
  EXPECT_FALSE(shape->bias);
}

TEST(Conv2dShape, AddsOneFrameWhereItIsARowOrAnImage) {
  const ops::FusedConv3d pointwise{.conv = {}, .residual = true, .one_frame_residual = true};
  Signed clips(pointwise, {2, 4, 3, 3, 8}, {8, 8, 1, 1, 1});
  const Result<Conv2dShape> of_clips = clips.conv2d();
  ASSERT_TRUE(of_clips.ok());
  EXPECT_EQ(of_clips->y.height, 4);
  EXPECT_EQ(of_clips->residual_images, (Images{2, 1, 9, 8, 72, 72, 8}));
  EXPECT_TRUE(of_clips->bias);  // zeros, for want of a kernel without

  ops::FusedConv3d spatial = pointwise;
  spatial.conv.padding = {0, 1, 1};
  Signed one_clip(spatial, {1, 4, 3, 3, 8}, {8, 8, 1, 3, 3});
  const Result<Conv2dShape> of_one = one_clip.conv2d();
  ASSERT_TRUE(of_one.ok());
  EXPECT_EQ(of_one->y.images, 4);
  EXPECT_EQ(of_one->residual_images.images, 1);
  EXPECT_FALSE(Signed(spatial, {2, 4, 3, 3, 8}, {8, 8, 1, 3, 3}).conv2d().ok());
}

TEST(Conv2dShape, SaysWhyNot) {
  const Shape x{2, 4, 6, 6, 16};
  EXPECT_EQ(Signed({.conv = {.padding = {1, 1, 1}}}, x, {16, 16, 3, 3, 3}).conv2d().failure().message,
            "It convolves in space and time at once.");
  EXPECT_EQ(Signed({.conv = {}, .shift_fold = 2}, x, {16, 16, 1, 1, 1}).conv2d().failure().message,
            "Libraries do not shift channels in time.");
  EXPECT_FALSE(Signed({.conv = {.groups = 2}}, {2, 4, 6, 6, 12}, {16, 6, 1, 1, 1}).conv2d().ok());
  EXPECT_TRUE(Signed({.conv = {.groups = 2}}, x, {16, 8, 1, 1, 1}).conv2d().ok());
}

/// The gradients of a convolution without padded channels, in bf16 or f32.
struct Gradients {
  Gradients(const ops::Conv3d& conv, const Shape& x, const Shape& weight, DType dtype)
      : data{{.shape = x, .dtype = dtype}},
        output{{.shape = conv.output(x, weight), .dtype = dtype}},
        weights{{.shape = weight, .kind = Kind::weight}},
        data_inputs{output[0], weights[0]},
        weight_inputs{data[0], output[0]},
        of_data(*library_operation(ops::Conv3dDataGradient{conv, {x[1], x[2], x[3]}}, {data_inputs, data})),
        of_weight(*library_operation(ops::Conv3dWeightGradient{conv, weight}, {weight_inputs, weights})) {}

  std::vector<Operand> data, output, weights, data_inputs, weight_inputs;
  LibraryOperation of_data, of_weight;
};

TEST(GemmShape, IsThatOfTheConvolutionForItsGradients) {
  const Gradients gradients({}, {2, 8, 7, 7, 64}, {256, 64, 1, 1, 1}, DType::bf16);
  GemmShape expected{.pass = ConvPass::data_gradient,
                     .dtype = DType::bf16,
                     .tf32 = false,
                     .rows = 2 * 8 * 7 * 7,
                     .inputs = 64,
                     .outputs = 256,
                     .x_stride = 64,
                     .y_stride = 256};
  ASSERT_TRUE(gemm_shape(gradients.of_data).ok());
  EXPECT_EQ(*gemm_shape(gradients.of_data), expected);
  expected.pass = ConvPass::weight_gradient;
  ASSERT_TRUE(gemm_shape(gradients.of_weight).ok());
  EXPECT_EQ(*gemm_shape(gradients.of_weight), expected);
}

TEST(GemmShape, HasNoRoomForPaddingInTheGradientOfAWeight) {
  Gradients gradients({}, {1, 2, 3, 5, 7}, {16, 7, 1, 1, 1}, DType::f32);
  gradients.of_data.x.pixel_stride = gradients.of_weight.x.pixel_stride = 8;
  EXPECT_TRUE(gemm_shape(gradients.of_data).ok());
  EXPECT_FALSE(gemm_shape(gradients.of_weight).ok());
  EXPECT_TRUE(conv2d_shape(gradients.of_weight).ok());
}

TEST(Conv2dShape, IsThatOfTheConvolutionForItsGradients) {
  const ops::Conv3d conv{.stride = {1, 2, 2}, .padding = {0, 1, 1}};
  const Gradients gradients(conv, {2, 8, 14, 14, 64}, {32, 64, 1, 3, 3}, DType::f32);
  const Result<Conv2dShape> of_data = conv2d_shape(gradients.of_data),
                            of_weight = conv2d_shape(gradients.of_weight);
  ASSERT_TRUE(of_data.ok() && of_weight.ok());
  EXPECT_EQ(of_data->pass, ConvPass::data_gradient);
  EXPECT_EQ(of_data->x, (Images{16, 14, 14, 64, 14 * 14 * 64, 14 * 64, 64}));
  EXPECT_EQ(of_data->y, (Images{16, 7, 7, 32, 7 * 7 * 32, 7 * 32, 32}));
  EXPECT_EQ(of_data->stride, (std::array<std::int64_t, 2>{2, 2}));
  EXPECT_FALSE(of_data->bias || of_data->relu || of_data->residual);
  Conv2dShape same = *of_data;
  same.pass = ConvPass::weight_gradient;
  EXPECT_EQ(*of_weight, same);
}

/// A weight's gradient is f32; cuDNN gives it in the type of what it is made of.
TEST(Conv2dShape, RoundsNoGradientOfAWeight) {
  const Gradients gradients({.padding = {0, 1, 1}}, {2, 8, 14, 14, 64}, {32, 64, 1, 3, 3}, DType::bf16);
  EXPECT_TRUE(conv2d_shape(gradients.of_data).ok());
  EXPECT_FALSE(conv2d_shape(gradients.of_weight).ok());
}

TEST(LibraryOperation, IsNoneOfOtherOperations) {
  const std::vector<Operand> x{{.shape = {1, 1, 2, 2, 8}}};
  EXPECT_FALSE(library_operation(ops::Relu{}, {x, x}).has_value());
}

}  // namespace
}  // namespace tpn::cuda
