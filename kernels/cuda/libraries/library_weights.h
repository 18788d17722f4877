// Weights in the form that libraries want, on the device.
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/backend.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/packing.h"

namespace tpn::cuda {

/// Weights (outputs, taps, inputs of a group), the scale of the batch norm included, then the bias (outputs),
/// zeros where there is no batch norm, both in the type of y, with channels padded to 8 by zeros. Of a
/// convolution, or the gradient of its data, that has one of the shapes of library_shapes.h.
class LibraryPacking final : public Packing {
 public:
  /// op: of a gradient nothing but the convolution.
  LibraryPacking(const ops::FusedConv3d& op, const Signature& signature);

  void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream& stream) const override;
  void check(std::span<const ConstTensorView> sources) const override;

  /// Bytes from the beginning of the form to the bias.
  [[nodiscard]] std::size_t bias_offset() const;

 private:
  struct Form;
  static Form form_of(const ops::FusedConv3d& op, const Signature& signature);
  LibraryPacking(const ops::FusedConv3d& op, const Signature& signature, const Form& form);

  std::shared_ptr<const Form> form_;
};

/// The order of weights in such a form: (outputs, taps, inputs of a group), of stored ones (outputs, inputs
/// of a group, taps...). Libraries give gradients of weights in it too.
Permutation library_order(const Shape& weight, std::int64_t groups);

/// Libraries get no more workspace than this, bytes.
inline constexpr std::size_t max_workspace = std::size_t{64} << 20;
/// They want it aligned to 256 bytes, as kernels' scratch is.
static_assert(memory_alignment % 256 == 0);

}  // namespace tpn::cuda
