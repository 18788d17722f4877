#include "benchmarks/check_case.h"

#include <array>
#include <random>

namespace tpn::benchmarks {
namespace {

using ops::Tensor64;

/// (n, t, h, w, o) of an output element.
using Position = std::array<std::int64_t, 5>;

std::vector<Position> sample_positions(const Shape& y, std::uint32_t seed) {
  constexpr int channels_per_corner = 8, random_positions = 192;
  std::mt19937 generator(seed);
  const auto below = [&](std::int64_t end) {
    return std::uniform_int_distribution<std::int64_t>(0, end - 1)(generator);
  };
  std::vector<Position> positions;
  for (const std::int64_t t : {std::int64_t{0}, y[1] - 1})
    for (const std::int64_t h : {std::int64_t{0}, y[2] - 1})
      for (const std::int64_t w : {std::int64_t{0}, y[3] - 1})
        for (int i = 0; i < channels_per_corner; ++i) {
          positions.push_back({below(y[0]), t, h, w, below(y[4])});
        }
  for (int i = 0; i < random_positions; ++i) {
    positions.push_back({below(y[0]), below(y[1]), below(y[2]), below(y[3]), below(y[4])});
  }
  return positions;
}

/// The cells of x that the kernel sees at an output position, (1, kt, kh, kw, channels of the group); zeros
/// in the padding.
Tensor64 cells_under_kernel(const ops::Conv3d& conv, const Tensor64& x, const Shape& weight,
                            const Position& at) {
  const auto [kt, kh, kw] = ops::Conv3d::kernel(weight);
  const std::int64_t channels = weight[1], group = at[4] / (weight[0] / conv.groups);
  Tensor64 cells({1, kt, kh, kw, channels});
  for (std::int64_t a = 0; a < kt; ++a)
    for (std::int64_t b = 0; b < kh; ++b)
      for (std::int64_t c = 0; c < kw; ++c) {
        const std::int64_t t = at[1] * conv.stride[0] + a - conv.padding[0],
                           h = at[2] * conv.stride[1] + b - conv.padding[1],
                           w = at[3] * conv.stride[2] + c - conv.padding[2];
        const bool inside = t >= 0 && t < x.shape[1] && h >= 0 && h < x.shape[2] && w >= 0 && w < x.shape[3];
        for (std::int64_t i = 0; inside && i < channels; ++i) {
          cells.at(0, a, b, c, i) = x.at(at[0], t, h, w, group * channels + i);
        }
      }
  return cells;
}

/// Element `index` of a tensor, or a run of elements, as a tensor of that shape.
Tensor64 part(const Tensor64& tensor, std::int64_t begin, const Shape& shape) {
  Tensor64 result(shape);
  std::copy_n(tensor.data.begin() + begin, shape.count(), result.data.begin());
  return result;
}

}  // namespace

SampledOutput sample_reference(const ops::FusedConv3d& op, std::span<const Tensor64> inputs) {
  const Shape weight = inputs[1].shape, y = op.conv.output(inputs[0].shape, weight);
  const auto [kt, kh, kw] = ops::Conv3d::kernel(weight);
  const Shape filter{1, weight[1], kt, kh, kw};

  Tensor64 x = inputs[0];
  if (op.shift_fold != 0) {
    ops::TemporalShift{op.shift_fold}.forward(inputs.first(1), std::span(&x, 1));
  }
  ops::FusedConv3d single = op;
  single.conv = {};
  single.shift_fold = 0;
  SampledOutput sample;
  for (const Position& at : sample_positions(y, 1)) {
    const auto index_of = [&](std::int64_t frames, std::int64_t frame) {
      return (((at[0] * frames + frame) * y[2] + at[2]) * y[3] + at[3]) * y[4] + at[4];
    };
    const std::int64_t index = index_of(y[1], at[1]);
    const std::int64_t residual_index = op.one_frame_residual ? index_of(1, 0) : index;
    std::vector<Tensor64> operands{cells_under_kernel(op.conv, x, weight, at),
                                   part(inputs[1], at[4] * filter.count(), filter)};
    for (std::size_t i = 2; i < inputs.size(); ++i) {
      const bool residual = op.residual && i + 1 == inputs.size();
      operands.push_back(residual ? part(inputs[i], residual_index, {1, 1, 1, 1, 1})
                                  : part(inputs[i], at[4], {1}));
    }
    std::vector<Tensor64> output{Tensor64({1, 1, 1, 1, 1})};
    single.forward(operands, output);
    sample.indices.push_back(static_cast<std::size_t>(index));
    sample.expected.push_back(static_cast<float>(output[0].data[0]));
  }
  return sample;
}

}  // namespace tpn::benchmarks
