#include "engine/networks/builder.h"

namespace tpn {

ValueId NetworkBuilder::constant(const std::string& name, const TensorSpec& tensor, ParameterKind kind) {
  ParameterSpec spec{name, tensor.shape, kind, training_only_};
  const Role role = spec.is_buffer() ? Role::buffer : Role::parameter;
  parameters.push_back(std::move(spec));
  const ValueId value = graph.add_constant(name, tensor, role);
  if (role == Role::parameter && learns(name)) learned_.push_back(value);
  return value;
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
  if (unit.norm) y = norm(unit.prefix + ".bn", unit.out, y);
  return unit.relu ? graph.apply(ops::Relu{}, {y}, unit.prefix + ".activate") : y;
}

ValueId NetworkBuilder::norm(const std::string& prefix, std::int64_t channels, ValueId y) {
  const TensorSpec each = per_channel(channels);
  const ValueId scale = constant(prefix + ".weight", each, ParameterKind::bn_scale);
  const ValueId shift = constant(prefix + ".bias", each, ParameterKind::bn_shift);
  const ValueId mean = constant(prefix + ".running_mean", each, ParameterKind::bn_mean);
  const ValueId variance = constant(prefix + ".running_var", each, ParameterKind::bn_variance);
  const ValueId batches =
      constant(prefix + ".num_batches_tracked", {{}, Kind::index, DType::i64}, ParameterKind::bn_batches);
  // A frozen norm keeps its statistics, as in mmaction2's frozen stages.
  if (!uses_batch_statistics(prefix))
    return graph.apply(ops::BatchNorm{}, {y, scale, shift, mean, variance}, prefix);
  return graph.apply(ops::BatchNormTraining{}, {y, scale, shift, mean, variance, batches}, prefix);
}

ValueId NetworkBuilder::max_pool(ops::MaxPool3d pool, ValueId x, const std::string& name) {
  pool.keep_places = graph.dependents(learned_)[static_cast<std::size_t>(x)];
  return graph.apply(pool, {x}, name);
}

ValueId NetworkBuilder::dropout(double rate, ValueId x, const std::string& name) {
  if (form_) rate = form_->dropout.value_or(rate);
  if (!form_ || rate == 0) return x;
  if (random_state_ < 0)
    random_state_ = graph.add_input(std::string(TrainingForm::random_state), indices({2}, DType::i64));
  return graph.apply(ops::Dropout{.rate = rate, .layer = dropouts_++}, {x, random_state_}, name);
}

ValueId NetworkBuilder::linear(const std::string& prefix, std::int64_t in, std::int64_t classes, ValueId x) {
  const ValueId rows = constant(prefix + ".weight", weight({classes, in}), ParameterKind::fc_weight);
  const ValueId bias = constant(prefix + ".bias", per_channel(classes), ParameterKind::fc_bias);
  return graph.apply(ops::Linear{}, {x, rows, bias}, prefix);
}

}  // namespace tpn
