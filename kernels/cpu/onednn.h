// What the kernels that call oneDNN share: types, attributes, and packing.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <dnnl.hpp>

#include "kernels/backend.h"
#include "kernels/cpu/compile.h"
#include "kernels/cpu/onednn_api.h"
#include "kernels/memory.h"
#include "kernels/ops/fused_conv3d.h"

namespace tpn::cpu {

const dnnl::engine& cpu_engine();

/// Data in that layout. oneDNN takes non-const pointers for what it only reads.
dnnl::memory bound_memory(const dnnl::memory::desc& desc, const std::byte* data);

/// A multiple of the alignment of memory, so that what follows is aligned too.
std::size_t padded(std::size_t bytes);

/// Throws Error for anything but f32 and bf16.
dnnl::memory::data_type onednn_type(DType dtype);

/// Whether oneDNN uses all of that instruction set here: the processor has it, and DNNL_MAX_CPU_ISA allows
/// it.
bool computes_with(dnnl::cpu_isa isa);

/// The epilogue of the operation as post-ops; scratch memory comes from the caller.
dnnl::primitive_attr epilogue(const ops::FusedConv3d& op);

/// Throws std::bad_alloc unless there is address space for the code of a primitive: oneDNN does not notice
/// when it gets none.
void require_room_for_code();

/// A part of a weight, and where it goes in the packed layout.
struct PackPart {
  dnnl::memory::desc source;  ///< of the stored weight as f32
  std::int64_t offset = 0;    ///< of the part in the stored weight, elements
  dnnl::memory::desc target;  ///< with its own offset
};

/// How operand 1 of a signature, a weight, is packed into the layout `weight`, with the batch norm of the
/// operation. `form` tells different parts of one weight apart.
std::shared_ptr<const Packing> weight_packing(const ops::FusedConv3d& op, const Signature& signature,
                                              const std::string& form, const dnnl::memory::desc& weight,
                                              std::vector<PackPart> parts, int output_mask);

/// A convolution or matrix product of oneDNN with packed weights and the epilogue of FusedConv3d. Derived
/// classes choose the primitive.
class OnednnKernel : public Kernel {
 public:
  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return {&packing_, 1};
  }
  [[nodiscard]] std::size_t scratch_bytes() const override { return scratchpad_.get_size(); }
  [[nodiscard]] std::string implementation() const override { return implementation_; }
  [[nodiscard]] int in_place_input() const override { return residual_; }

 protected:
  explicit OnednnKernel(const ops::FusedConv3d& op)
      : residual_(op.residual ? static_cast<int>(op.input_count()) - 1 : -1) {}

  /// Takes the primitive and what it asks for.
  template <class Primitive>
  void adopt(const typename Primitive::primitive_desc& chosen) {
    source_ = chosen.src_desc();
    target_ = chosen.dst_desc();
    bias_ = chosen.bias_desc();
    weight_ = chosen.weights_desc();
    scratchpad_ = chosen.scratchpad_desc();
    implementation_ = chosen.impl_info_str();
    require_room_for_code();
    primitive_ = Primitive(chosen);
  }

  /// Says how the weight of the signature is packed. `form` tells different parts of one weight apart.
  void pack_as(const ops::FusedConv3d& op, const Signature& signature, const std::string& form,
               std::vector<PackPart> parts, int output_mask);

  /// Runs the primitive from `source` to y, which first receives the residual if it is elsewhere.
  void execute(const std::byte* source, std::span<const ConstTensorView> inputs, const TensorView& y,
               const std::byte* packed, std::byte* scratchpad) const;

  [[nodiscard]] const dnnl::memory::desc& source_desc() const { return source_; }
  [[nodiscard]] const dnnl::memory::desc& weight_desc() const { return weight_; }

 private:
  int residual_;  ///< the input that is added, -1 for none
  dnnl::memory::desc source_, target_, weight_, bias_, scratchpad_;
  dnnl::primitive primitive_;
  std::string implementation_;
  std::shared_ptr<const Packing> packing_;
  std::size_t bias_offset_ = 0;  ///< into the packed form; 0: no bias
};

}  // namespace tpn::cpu
