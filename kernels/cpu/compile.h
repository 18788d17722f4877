// One function per operation that the CPU runs, each in the file of the operation's name.
#pragma once

#include <memory>
#include <span>

#include "kernels/backend.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::Add& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::BatchNorm& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Concat& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Conv3d& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::FusedConv3d& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::GlobalAvgPool& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Linear& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::MaxPool3d& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Relu& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Softmax& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::TemporalShift& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::Upsample& op, const Signature& signature);
std::unique_ptr<Kernel> compile(const ops::ViewScores& op, const Signature& signature);

}  // namespace tpn::cpu
