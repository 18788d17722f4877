// The backend of the operations' own reference maths: double precision, slow, the yardstick of the others.
#pragma once

#include "kernels/backend.h"

namespace tpn {

/// Runs every operation by its forward() in double, whatever the types of the tensors. Tensors, and the
/// weights of convolutions, are rounded to those types: in bf16 it shows what that storage alone costs in
/// accuracy.
class ReferenceBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "reference"; }
  [[nodiscard]] bool supports(DType dtype) const override { return is_floating(dtype); }
  [[nodiscard]] bool supports(const AnyOp&) const override { return true; }
  [[nodiscard]] std::unique_ptr<Kernel> compile(const AnyOp& op, const Signature& signature) const override;
};

}  // namespace tpn
