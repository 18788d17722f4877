#include "engine/networks/builder.h"

namespace tpn {

ValueId NetworkBuilder::constant(const std::string& name, const TensorSpec& tensor, ParameterKind kind) {
  ParameterSpec spec{name, tensor.shape, kind, training_only_};
  const Role role = spec.is_buffer() ? Role::buffer : Role::parameter;
  parameters.push_back(std::move(spec));
  return graph.add_constant(name, tensor, role);
}

ValueId NetworkBuilder::conv_unit(const ConvUnit& unit, ValueId x) {
  const auto [kt, kh, kw] = unit.kernel;
  const std::int64_t in = unit.in / unit.groups;
  const ValueId filters =
      constant(unit.prefix + "." + unit.conv + ".weight",
               weight(unit.weight_2d ? Shape{unit.out, in, kh, kw} : Shape{unit.out, in, kt, kh, kw}),
               ParameterKind::conv_weight);
  const ops::Conv3d conv{.stride = unit.stride,
                         .padding = unit.pad ? ops::Extent3{kt / 2, kh / 2, kw / 2} : ops::Extent3{0, 0, 0},
                         .groups = unit.groups};
  ValueId y = graph.apply(conv, {x, filters}, unit.prefix + "." + unit.conv);
  if (unit.norm) {
    const std::string bn = unit.prefix + ".bn";
    const TensorSpec channels = per_channel(unit.out);
    const ValueId scale = constant(bn + ".weight", channels, ParameterKind::bn_scale);
    const ValueId shift = constant(bn + ".bias", channels, ParameterKind::bn_shift);
    const ValueId mean = constant(bn + ".running_mean", channels, ParameterKind::bn_mean);
    const ValueId variance = constant(bn + ".running_var", channels, ParameterKind::bn_variance);
    constant(bn + ".num_batches_tracked", {{}, Kind::index, DType::i64}, ParameterKind::bn_batches);
    y = graph.apply(ops::BatchNorm{}, {y, scale, shift, mean, variance}, bn);
  }
  return unit.relu ? graph.apply(ops::Relu{}, {y}, unit.prefix + ".activate") : y;
}

ValueId NetworkBuilder::linear(const std::string& prefix, std::int64_t in, std::int64_t classes, ValueId x) {
  const ValueId rows = constant(prefix + ".weight", weight({classes, in}), ParameterKind::fc_weight);
  const ValueId bias = constant(prefix + ".bias", per_channel(classes), ParameterKind::fc_bias);
  return graph.apply(ops::Linear{}, {x, rows, bias}, prefix);
}

}  // namespace tpn
