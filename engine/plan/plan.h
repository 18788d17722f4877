// A graph made ready to run: fused, compiled for a backend, its tensors placed in one arena.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/model/weights.h"
#include "kernels/backend.h"
#include "kernels/packed_weights.h"

namespace tpn {

struct PlanOptions {
  DType precision = DType::f32;  ///< of activations and packed weights; the classifier always runs in f32
  bool tf32 = false;  ///< products of f32 operands may be rounded to tf32; the classifier's never are
  bool fuse = true;   ///< false: one kernel per node of the graph
  std::vector<std::string> features = {};  ///< features to keep readable besides the graph's outputs

  auto operator<=>(const PlanOptions&) const = default;
};

/// Where a value is during a run.
struct Slot {
  Shape shape;
  Kind kind = Kind::activation;
  DType dtype = DType::f32;
  bool constant = false;              ///< a parameter or buffer, which no run changes
  const std::byte* values = nullptr;  ///< of a constant, f32; null where kernels read packed forms alone
  std::size_t offset = 0;             ///< into the arena, bytes
  std::int64_t pixel_stride = 0;      ///< as of Operand

  /// Pixels of an activation, rows of a matrix.
  [[nodiscard]] std::int64_t pixels() const { return shape.count() / channels(); }
  [[nodiscard]] std::int64_t channels() const { return shape[shape.rank() - 1]; }
  /// Elements from one pixel to the next.
  [[nodiscard]] std::int64_t stride() const { return pixel_stride != 0 ? pixel_stride : channels(); }
  /// From the first channel of the first pixel to the end of the last pixel's stride.
  [[nodiscard]] std::size_t bytes() const {
    return static_cast<std::size_t>(pixels() * stride()) * size_of(dtype);
  }
};

/// One kernel and what it reads and writes.
struct Step {
  std::string name;  ///< of the value it computes
  AnyOp op;
  std::unique_ptr<Kernel> kernel;
  std::vector<Slot> inputs;
  std::vector<Slot> outputs;
  std::vector<const std::byte*> packed = {};  ///< the forms of parameters that the kernel reads
  std::int64_t multiply_adds = 0;
};

/// Immutable; shared by any number of executors. It keeps the packed weights it needs, not the model file.
class Plan {
 public:
  /// Throws Error when the backend cannot run an operation or the precision, when a feature is unknown, or
  /// when a weight is missing, mis-shaped or such that there is no result. The largest weights are packed
  /// first, so that the peak of memory stays low.
  Plan(const Graph& graph, std::shared_ptr<const Backend> backend, const Weights& weights,
       const PlanOptions& options);

  [[nodiscard]] const Backend& backend() const { return *backend_; }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  /// The graph's one input, (views, T, H, W, C); overwritten by the run.
  [[nodiscard]] const Slot& input() const { return input_; }
  /// An output or kept feature; throws Error when there is none of that name.
  [[nodiscard]] const Slot& result(std::string_view name) const;

  [[nodiscard]] std::size_t arena_bytes() const { return arena_bytes_; }
  [[nodiscard]] std::size_t scratch_offset() const { return scratch_offset_; }
  [[nodiscard]] std::int64_t multiply_adds() const;

 private:
  std::shared_ptr<const Backend> backend_;
  std::vector<PackedWeights::Form> forms_;  ///< that steps point into
  std::vector<Step> steps_;
  Slot input_;
  std::vector<std::pair<std::string, Slot>> results_;
  std::size_t arena_bytes_ = 0;
  std::size_t scratch_offset_ = 0;
};

}  // namespace tpn
