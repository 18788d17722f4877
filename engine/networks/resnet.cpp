// ResNet-50/101 as the backbone of TPN: 3D SlowOnly, and 2D with temporal shifts (TSM).
#include <algorithm>

#include "engine/networks/builder.h"

namespace tpn {
namespace {

std::array<int, 4> stage_blocks(int depth) {
  return {3, 4, depth == 101 ? 23 : 6, 3};
}

struct Block {
  std::string prefix;
  std::int64_t width;
  std::int64_t stride;
  bool inflate;  ///< conv1 is (3,1,1)
  bool shift;    ///< a temporal shift precedes conv1
};

/// 1x1 (or 3x1x1) -> 1x3x3 -> 1x1 x4, plus the shortcut, ReLU last.
ValueId build_bottleneck(NetworkBuilder& b, const BackboneConfig& config, const Block& block, ValueId x) {
  const bool flat = config.dims == 2;
  const std::int64_t in = b.graph.value(x).spec.shape[4], out = 4 * block.width;
  ValueId shifted = x;
  if (block.shift) {
    shifted = b.graph.apply(ops::TemporalShift{.fold = in / config.shift_div}, {x}, block.prefix + ".shift");
  }
  ValueId y = b.conv_unit({.prefix = block.prefix + ".conv1",
                           .conv = block.shift ? "conv.net" : "conv",
                           .in = in,
                           .out = block.width,
                           .kernel = {block.inflate ? 3 : 1, 1, 1},
                           .weight_2d = flat},
                          shifted);
  y = b.conv_unit({.prefix = block.prefix + ".conv2",
                   .in = block.width,
                   .out = block.width,
                   .kernel = {1, 3, 3},
                   .stride = {1, block.stride, block.stride},
                   .weight_2d = flat},
                  y);
  y = b.conv_unit(
      {.prefix = block.prefix + ".conv3", .in = block.width, .out = out, .relu = false, .weight_2d = flat},
      y);
  ValueId shortcut = x;
  if (block.stride != 1 || in != out) {
    // decisionforce's in-place shift also reaches the projection shortcut.
    const ValueId from = config.tsm_position == TsmPosition::inplace ? shifted : x;
    shortcut = b.conv_unit({.prefix = block.prefix + ".downsample",
                            .in = in,
                            .out = out,
                            .stride = {1, block.stride, block.stride},
                            .relu = false,
                            .weight_2d = flat},
                           from);
  }
  const ValueId sum = b.graph.apply(ops::Add{}, {y, shortcut}, block.prefix + ".add");
  return b.graph.apply(ops::Relu{}, {sum}, block.prefix + ".relu");
}

}  // namespace

std::vector<ValueId> build_resnet(NetworkBuilder& b, const BackboneConfig& config, ValueId x) {
  const bool flat = config.dims == 2;
  const std::array<int, 4> blocks = stage_blocks(config.depth);
  // mmaction2 shifts every second block of a network with 23 blocks in its third stage; decisionforce shifts
  // all.
  const int every = blocks[2] >= 23 && config.tsm_position == TsmPosition::residual ? 2 : 1;

  x = b.conv_unit({.prefix = "backbone.conv1",
                   .in = 3,
                   .out = config.base_channels,
                   .kernel = {1, 7, 7},
                   .stride = {1, 2, 2},
                   .weight_2d = flat},
                  x);
  x = b.max_pool({.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}}, x, "backbone.maxpool");
  b.graph.add_feature("stem", x);

  std::vector<ValueId> outputs;
  for (int stage = 0; stage < 4; ++stage) {
    for (int index = 0; index < blocks[static_cast<std::size_t>(stage)]; ++index) {
      const Block block{.prefix = "backbone.layer" + std::to_string(stage + 1) + "." + std::to_string(index),
                        .width = std::int64_t{config.base_channels} << stage,
                        .stride = stage > 0 && index == 0 ? 2 : 1,
                        .inflate = !flat && config.inflate[static_cast<std::size_t>(stage)] != 0,
                        .shift = flat && index % every == 0};
      x = build_bottleneck(b, config, block, x);
    }
    b.graph.add_feature("stage" + std::to_string(stage + 1), x);
    if (std::find(config.out_indices.begin(), config.out_indices.end(), stage) != config.out_indices.end()) {
      outputs.push_back(x);
    }
  }
  return outputs;
}

}  // namespace tpn
