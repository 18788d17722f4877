// Finds the fastest of several kernels for an operation by running them.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace tpn::cuda {

/// The largest relative L2 deviation from the plain kernel with which a kernel may win. Random numbers of
/// variance 1 go in, and what is multiplied, or both outputs, are rounded to the type of the inputs:
///   f32   1e-5     sums of up to 10^4 products in another order, 2^-24 each
///   tf32  1e-3     operands rounded to 2^-11, where the other kernel may not round them the same way
///   f16   1.25e-3  results, and weights with the scale of a batch norm in or not in them, rounded to 2^-11
///   bf16  1e-2     the same with 2^-8
double trial_tolerance(DType dtype, bool tf32);

/// Compiles the plain kernel of an operation, of which its other kernels must not deviate, for a signature.
using CompilePlain = std::function<std::unique_ptr<Kernel>(const Signature& signature)>;

/// Runs each candidate on the same random tensors and reports on each; the fastest of those that compute what
/// the plain kernel does is chosen, none where none does. candidates: of that operation and signature, as
/// cuda::candidates() gives them, perhaps with others. One that throws is reported with the reason, and
/// if it has broken the device, which then fails whatever it is asked, Error names it. The first that is
/// right runs for `warm_seconds` before it is timed, so that the device's clocks have risen. A candidate is
/// timed as plans run it, recorded, over a millisecond or more; after one run it is given up if that took
/// three times as long as the best. Views repeat after two; where the output has views too, the plain kernel
/// computes no more. Parameters are random: the weights of an output add up to a variance of 1, what there is
/// for each channel lies around 1. Needs device memory for the operation's tensors; throws OutOfMemory when
/// there is not enough.
std::vector<CandidateReport> try_candidates(const CompilePlain& plain, const Signature& signature,
                                            std::span<const std::unique_ptr<Kernel>> candidates,
                                            double warm_seconds = 0);

}  // namespace tpn::cuda
