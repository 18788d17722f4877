// One function per operation that the CPU runs, each in the file of the operation's name.
#pragma once

#include <memory>
#include <span>

#include "kernels/backend.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::Accumulate& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Add& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::AllGather& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::BatchNorm& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::BatchNormApply& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::BatchNormGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::BatchNormGradientSums& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::BatchNormGradientSynchronized& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::BatchNormMoments& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::BatchNormSynchronized& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::BatchNormTraining& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::ChannelSlice& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Concat& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Conv3d& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Conv3dDataGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Conv3dWeightGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::CrossEntropy& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::CrossEntropyGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Dropout& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::FrozenBatchNormGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::FusedConv3d& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::GlobalAvgPool& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::GlobalAvgPoolGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::GradientNorm& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Linear& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::LinearBiasGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::LinearDataGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::LinearWeightGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::MaxPool3d& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::MaxPool3dGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::MovingAverage& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Relu& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::ReluGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Sgd& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Softmax& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::SumOverFrames& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::TemporalShift& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::TemporalShiftGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Upsample& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::UpsampleGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::ViewScores& op, const Signature& signature);

}  // namespace tpn::cpu
