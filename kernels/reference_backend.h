// The backend of the operations' own reference maths: double precision, slow, the yardstick of the others.
#pragma once

#include "kernels/backend.h"

namespace tpn {

/// Runs every operation by its forward() in double, whatever the types of the tensors. Tensors, and the
/// weights of convolutions, are rounded to those types: in bf16 it shows what that storage alone costs in
/// accuracy.
class ReferenceBackend final : public Backend {
 public:
  /// With an alignment of more than 1, activations are laid out as on a device that wants it, channel slices
  /// included.
  explicit ReferenceBackend(std::int64_t channel_alignment = 1) : channel_alignment_(channel_alignment) {}

  [[nodiscard]] std::string_view name() const override { return "reference"; }
  [[nodiscard]] bool supports(DType dtype) const override { return is_floating(dtype); }
  [[nodiscard]] bool supports(const AnyOp&) const override { return true; }
  [[nodiscard]] std::unique_ptr<Kernel> compile(const AnyOp& op, const Signature& signature) const override;
  /// A layout of devices comes with memory of its own, as far as executors are concerned.
  [[nodiscard]] std::string memory_name() const override {
    return channel_alignment_ == 1 ? std::string(host_memory) : "reference";
  }
  [[nodiscard]] std::int64_t channel_alignment() const override { return channel_alignment_; }
  [[nodiscard]] bool writes_slices(const AnyOp&) const override { return channel_alignment_ > 1; }
  /// With an alignment of 8.
  [[nodiscard]] std::unique_ptr<ViewMaker> make_view_maker() const override;

 private:
  std::int64_t channel_alignment_;
};

}  // namespace tpn
