#include "kernels/cuda/conv_form.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <string>

#include "kernels/cuda/operand_layout.h"

namespace tpn::cuda {
namespace {

/// What kernels count in: an int, from which they may step one tile further.
constexpr std::int64_t max_count = std::numeric_limits<std::int32_t>::max() - 1024;

int counted(std::int64_t value, const char* what) {
  if (value < 0 || value > max_count) {
    throw Error("A convolution on the device cuda counts its " + std::string(what) + " up to " +
                std::to_string(max_count) + "; it has " + std::to_string(value) +
                ". Run fewer views at once.");
  }
  return static_cast<int>(value);
}

Extent extent(const ops::Extent3& e) {
  return {counted(e[0], "taps in t"), counted(e[1], "taps in h"), counted(e[2], "taps in w")};
}

ConvType conv_type(const Signature& signature) {
  const DType type = signature.outputs[0].dtype;
  if (type == DType::f32) return signature.tf32 ? ConvType::tf32 : ConvType::f32;
  if (type == DType::f16) return ConvType::f16;
  if (type == DType::bf16) return ConvType::bf16;
  throw Error("The device cuda convolves in f32, f16 and bf16; it was asked for " +
              std::string(name_of(type)) + ".");
}

/// How many of `in` positions some of `out` windows read.
std::int64_t touched(int in, int out, int kernel, int stride) {
  return std::min<std::int64_t>(in, kernel >= stride ? in : std::int64_t{out} * kernel);
}

int chunk_elements(ConvType type) {
  return static_cast<int>(16 / element_bytes(type));
}

/// Consecutive channels that are read from one frame.
struct TapChannels {
  int begin, end;
  int tap_t;
};

/// The parts of `channels` channels: with a shift, three with a tap for each.
std::vector<TapChannels> parts_of(int channels, int shift_fold) {
  if (shift_fold == 0) return {{0, channels, 0}};
  const std::array<TapChannels, 3> all{{{0, shift_fold, 2},               // of the next frame
                                        {shift_fold, 2 * shift_fold, 0},  // of the previous one
                                        {2 * shift_fold, channels, 1}}};
  std::vector<TapChannels> parts;
  std::copy_if(all.begin(), all.end(), std::back_inserter(parts),
               [](const TapChannels& part) { return part.end > part.begin; });
  return parts;
}

}  // namespace

std::int64_t element_bytes(ConvType type) {
  return type == ConvType::f32 || type == ConvType::tf32 ? 4 : 2;
}

const char* name_of(ConvType type) {
  constexpr std::array names{"f32", "tf32", "f16", "bf16"};
  return names.at(static_cast<std::size_t>(type));
}

ConvForm conv_form(const ops::FusedConv3d& op, const Signature& signature) {
  const Shape& weight = signature.inputs[1].shape;
  const ActivationLayout x = activation_layout(op.name, signature.inputs[0]);
  const ActivationLayout y = activation_layout(op.name, signature.outputs[0]);
  ConvForm form;
  form.type = conv_type(signature);
  form.shift_fold = counted(op.shift_fold, "shifted channels");
  form.residual = op.residual;

  ConvSizes& s = form.sizes;
  s.rows = counted(y.pixels(), "output positions");
  s.groups = counted(op.conv.groups, "groups");
  s.columns = counted(weight[0] / op.conv.groups, "output channels");
  s.group_channels = counted(weight[1], "input channels");
  s.channels = y.padded_channels();
  s.in = {x.t, x.h, x.w};
  s.out = {y.t, y.h, y.w};
  s.out_t = Divider(y.t);
  s.out_h = Divider(y.h);
  s.out_w = Divider(y.w);
  s.kernel = extent(ops::Conv3d::kernel(weight));
  s.stride = extent(op.conv.stride);
  s.padding = extent(op.conv.padding);
  s.x_stride = x.stride;
  s.y_stride = y.stride;
  if (op.residual) s.residual_stride = activation_layout(op.name, signature.inputs.back()).stride;
  s.one_frame_residual = op.one_frame_residual;
  s.relu = op.relu;
  form.touched = std::int64_t{x.n} * touched(s.in.t, s.out.t, s.kernel.t, s.stride.t) *
                 touched(s.in.h, s.out.h, s.kernel.h, s.stride.h) *
                 touched(s.in.w, s.out.w, s.kernel.w, s.stride.w);
  return form;
}

ConvForm conv_form(const ops::Conv3d& op, const ConvOperands& operands, bool tf32) {
  const std::array inputs{operands.x, operands.weight};
  return conv_form({.conv = op}, {inputs, {&operands.y, 1}, tf32});
}

bool is_product(const ConvForm& form) {
  const ConvSizes& s = form.sizes;
  if (s.groups > 1 && (s.group_channels % chunk_elements(form.type) != 0 || s.columns % 8 != 0)) return false;
  if (form.shift_fold > 0 && (s.groups > 1 || s.kernel.t > 1 || s.padding.t > 0)) return false;
  if (std::max({s.kernel.t, s.kernel.h, s.kernel.w}) > tap_bits) return false;
  constexpr std::int64_t max_tile_rows = 256;  // and columns
  const std::int64_t taps = std::int64_t{s.kernel.t} * s.kernel.h * s.kernel.w;
  const std::int64_t row_bytes = (s.group_channels + std::int64_t{128}) * taps * element_bytes(form.type);
  if (row_bytes > max_count / max_tile_rows) return false;
  // The rows of a tile, and the taps of a row, lie within so many frames of each other.
  const std::int64_t views = max_tile_rows / (std::int64_t{s.out.t} * s.out.h * s.out.w) + 3;
  const std::int64_t frames = views * s.in.t + s.kernel.t + std::int64_t{2} * std::abs(s.padding.t);
  return frames * (s.in.h + s.kernel.h) * (s.in.w + s.kernel.w) * s.x_stride * element_bytes(form.type) <=
         max_count;
}

// Channels are taken in blocks of 128 bytes, and all taps of a block before the next one: what a tap reads
// its neighbours have just read, so that it still is in the L2 cache.
//
// A shift is a kernel of three frames of which each channel has one. A chunk whose channels come from several
// frames is walked once for each, with zero weights for the channels of the others.
ProductForm product_form(const ConvForm& form) {
  ProductForm product{form, {}};
  ConvSizes& s = product.form.sizes;
  if (form.shift_fold > 0) {
    s.kernel.t = 3;
    s.padding.t = 1;
  }
  const int chunk = chunk_elements(form.type);
  const int block = chunk * chunk_alignment;
  const int weight_frames = form.shift_fold > 0 ? 1 : s.kernel.t;
  const std::vector<TapChannels> parts = parts_of(s.group_channels, form.shift_fold);
  for (int first = 0; first < s.group_channels; first += block) {
    const int block_end = std::min(first + block, s.group_channels);
    for (int t = 0; t < weight_frames; ++t) {
      for (int h = 0; h < s.kernel.h; ++h) {
        for (int w = 0; w < s.kernel.w; ++w) {
          for (int channel = first; channel < block_end; channel += chunk) {
            for (const TapChannels& part : parts) {
              const int begin = std::max(channel, part.begin);
              const int end = std::min({channel + chunk, part.end, block_end});
              if (begin >= end) continue;
              product.depth.push_back({{t + part.tap_t, h, w}, {t, h, w}, channel, begin, end});
            }
          }
        }
      }
    }
  }
  s.chunks = counted(static_cast<std::int64_t>(product.depth.size()), "weights");
  s.row_elements = (s.chunks + chunk_alignment - 1) / chunk_alignment * chunk_alignment * chunk;
  return product;
}

std::vector<ConvChunk> chunk_table(const ProductForm& product) {
  const ConvSizes& s = product.form.sizes;
  const std::size_t padded = (product.depth.size() + chunk_alignment - 1) / chunk_alignment * chunk_alignment;
  std::vector<ConvChunk> table(padded + chunk_alignment);
  for (std::size_t i = 0; i < product.depth.size(); ++i) {
    const auto& [tap, weight, channel, begin, end] = product.depth[i];
    const std::int64_t pixel = (std::int64_t{tap.t} * s.in.h + tap.h) * s.in.w + tap.w;
    const std::int64_t element = pixel * s.x_stride + channel;
    table[i].offset = static_cast<std::int32_t>(element * element_bytes(product.form.type));
    table[i].needs = 1U << tap.t | 1U << (tap_bits + tap.h) | 1U << (2 * tap_bits + tap.w);
  }
  return table;
}

}  // namespace tpn::cuda
