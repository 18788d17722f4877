// A convolution as a matrix product that one variant makes: what is launched for it, whatever its operands
// are to an operation.
#pragma once

#include <memory>
#include <string>

#include <cuda_runtime_api.h>

#include "kernels/cuda/conv_boxes.h"
#include "kernels/cuda/conv_schedule.h"

namespace tpn::cuda {

/// A product's depth in the tables that kernels read, on the device.
struct DepthTables {
  explicit DepthTables(const ProductForm& product);

  std::shared_ptr<const Buffer> chunks;
  std::shared_ptr<const Buffer> steps;  ///< null where no boxes can be fetched
};

class ConvProduct {
 public:
  /// form: of the product, whose variant runs() it.
  ConvProduct(const ConvForm& form, DepthTables tables, const ConvChoice& choice);

  /// Enqueues it. operands: x, weights, y, and what the epilogue reads, as of ConvProblem; the rest is set
  /// here. scratch: scratch_bytes().
  void run(const ConvProblem& operands, std::byte* scratch, cudaStream_t stream) const;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const ConvSchedule& schedule() const { return choice_.schedule; }
  [[nodiscard]] std::size_t scratch_bytes() const {
    return static_cast<std::size_t>(partial_bytes(form_, choice_.schedule));
  }
  /// That are issued, those on padding included.
  [[nodiscard]] std::int64_t multiply_adds() const;

 private:
  ConvForm form_;
  ConvChoice choice_;
  DepthTables tables_;
  std::string name_;
  // For a variant that fetches boxes.
  ConvBoxes boxes_;
  TensorAxes weight_axes_, x_axes_;
};

/// What tells a variant and the number of parts that it sums from all others, for instance
/// "implicit_gemm_128x64x64_s3_k1 (bf16 mma)". splits: in words, "1".
std::string product_name(ConvType type, const ConvTile& tile, const std::string& splits);

}  // namespace tpn::cuda
