// The list of all operations. Tests, benchmarks, the graph and the backends iterate over it; nothing
// registers itself.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/ops/accumulate.h"
#include "kernels/ops/add.h"
#include "kernels/ops/all_gather.h"
#include "kernels/ops/batch_norm.h"
#include "kernels/ops/batch_norm_synchronized.h"
#include "kernels/ops/batch_norm_training.h"
#include "kernels/ops/classifier.h"
#include "kernels/ops/concat.h"
#include "kernels/ops/conv3d.h"
#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/dropout.h"
#include "kernels/ops/fused_conv3d.h"
#include "kernels/ops/global_avg_pool.h"
#include "kernels/ops/level_fusion.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/max_pool3d.h"
#include "kernels/ops/moving_average.h"
#include "kernels/ops/relu.h"
#include "kernels/ops/sgd.h"
#include "kernels/ops/softmax.h"
#include "kernels/ops/temporal_modulation.h"
#include "kernels/ops/temporal_shift.h"
#include "kernels/ops/upsample.h"
#include "kernels/ops/view_scores.h"

namespace tpn {

/// One line per operation.
using AnyOp = std::variant<ops::Conv3d,                   //
                           ops::BatchNorm,                //
                           ops::Relu,                     //
                           ops::Add,                      //
                           ops::MaxPool3d,                //
                           ops::GlobalAvgPool,            //
                           ops::TemporalShift,            //
                           ops::Upsample,                 //
                           ops::Concat,                   //
                           ops::Linear,                   //
                           ops::Softmax,                  //
                           ops::FusedConv3d,              //
                           ops::TemporalModulation,       //
                           ops::LevelFusion,              //
                           ops::Classifier,               //
                           ops::ViewScores,               //
                           ops::Conv3dDataGradient,       //
                           ops::Conv3dWeightGradient,     //
                           ops::BatchNormTraining,        //
                           ops::BatchNormApply,           //
                           ops::BatchNormGradient,        //
                           ops::FrozenBatchNormGradient,  //
                           ops::ReluGradient,             //
                           ops::SumOverFrames,            //
                           ops::MaxPool3dGradient,        //
                           ops::GlobalAvgPoolGradient,    //
                           ops::TemporalShiftGradient,    //
                           ops::UpsampleGradient,         //
                           ops::ChannelSlice,             //
                           ops::LinearDataGradient,       //
                           ops::LinearWeightGradient,     //
                           ops::LinearBiasGradient,       //
                           ops::Dropout,                  //
                           ops::CrossEntropy,             //
                           ops::CrossEntropyGradient,     //
                           ops::Accumulate,               //
                           ops::GradientNorm,             //
                           ops::Sgd,                      //
                           ops::MovingAverage,            //
                           ops::AllGather,                //
                           ops::BatchNormMoments,         //
                           ops::BatchNormSynchronized,    //
                           ops::BatchNormGradientSums,    //
                           ops::BatchNormGradientSynchronized>;

/// Calls visit(std::type_identity<Op>{}) for every operation of the list.
template <class Visit>
void for_each_op(const Visit& visit) {
  const auto visit_all = [&]<std::size_t... I>(std::index_sequence<I...>) {
    (visit(std::type_identity<std::variant_alternative_t<I, AnyOp>>{}), ...);
  };
  visit_all(std::make_index_sequence<std::variant_size_v<AnyOp>>{});
}

inline std::string_view name_of(const AnyOp& op) {
  return std::visit([](const auto& o) { return std::remove_cvref_t<decltype(o)>::name; }, op);
}

/// What the outputs are; throws Error for inputs that do not fit.
inline std::vector<TensorSpec> infer(const AnyOp& op, std::span<const TensorSpec> inputs) {
  return std::visit([&](const auto& o) { return o.infer(inputs); }, op);
}

/// Which outputs are inputs updated in their place, of an operation on that many inputs.
inline std::vector<ops::Alias> aliases(const AnyOp& op, std::size_t inputs) {
  return std::visit(
      [&](const auto& o) -> std::vector<ops::Alias> {
        if constexpr (requires { o.aliases(inputs); }) return o.aliases(inputs);
        return {};
      },
      op);
}

inline std::int64_t multiply_adds(const AnyOp& op, std::span<const TensorSpec> inputs,
                                  std::span<const TensorSpec> outputs) {
  return std::visit([&](const auto& o) { return o.multiply_adds(inputs, outputs); }, op);
}

}  // namespace tpn
