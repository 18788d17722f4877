// What the kernels that call oneDNN share: types, attributes, and packed weights.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include <dnnl.hpp>

#include "kernels/backend.h"
#include "kernels/cpu/batch_norm.h"
#include "kernels/memory.h"
#include "kernels/ops/fused_conv3d.h"

namespace tpn::cpu {

const dnnl::engine& cpu_engine();

/// Throws Error for anything but f32 and bf16.
dnnl::memory::data_type onednn_type(DType dtype);

/// The epilogue of the operation as post-ops; scratch memory comes from the caller.
dnnl::primitive_attr epilogue(const ops::FusedConv3d& op);

/// Names a packed layout: two primitives that ask for the same one share their weights.
std::string layout_key(const dnnl::memory::desc& desc);

struct PackedWeights {
  HostBuffer weight;
  HostBuffer bias;  ///< (O) f32; empty without batch norm
};

/// A part of a weight, and where it goes in the packed layout.
struct PackPart {
  dnnl::memory::desc source;  ///< of the stored weight as f32
  std::int64_t offset = 0;    ///< of the part in the stored weight, elements
  dnnl::memory::desc target;  ///< with its own offset
};

/// Reorders a stored weight into `bytes` bytes, scaled per output channel by the batch norm where there is
/// one. output_mask: the bits of the dimensions that are output channels.
std::shared_ptr<const PackedWeights> pack_weights(std::span<const PackPart> parts, std::size_t bytes,
                                                  const Constant& weight,
                                                  const std::optional<FoldedNorm>& norm, int output_mask);

/// Runs a primitive on views of memory; oneDNN takes non-const pointers for what it only reads.
dnnl::memory bound_memory(const dnnl::memory::desc& desc, const std::byte* data);

}  // namespace tpn::cpu
