// A graph made ready to run: fused, compiled for a backend, its tensors placed in one arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/model/weights.h"
#include "kernels/backend.h"
#include "kernels/packed_weights.h"
#include "kernels/precision_info.h"

namespace tpn {

struct PlanOptions {
  /// Of activations and packed weights; the classifier always runs in f32, and is never rounded to tf32.
  Precision precision = Precision::f32;
  bool fuse = true;                        ///< false: one kernel per node of the graph
  std::vector<std::string> features = {};  ///< features to keep readable besides the graph's outputs
  /// Whether a step of training may compute in another order than the graph's, where that takes less memory:
  /// the results are the same bits.
  bool reorder = true;
  /// Activations are stored in f64 whatever the precision, so that nothing is rounded: on the reference
  /// backend.
  bool exact = false;

  /// The type of activations.
  [[nodiscard]] DType storage() const { return exact ? DType::f64 : storage_type(precision); }

  auto operator<=>(const PlanOptions&) const = default;
};

/// What holds the memory of a value.
enum class Residence : std::uint8_t {
  arena,       ///< the executor, for a run
  constant,    ///< the plan: a parameter or buffer that no run changes
  persistent,  ///< a ParameterStore: a parameter, buffer or state of training
};

/// Where a value is during a run.
struct Slot {
  Shape shape;
  Kind kind = Kind::activation;
  DType dtype = DType::f32;
  Residence residence = Residence::arena;
  const std::byte* values = nullptr;  ///< of a constant, f32; null where kernels read packed forms alone
  std::size_t offset = 0;         ///< into the arena, bytes; of a persistent value its place in persistent()
  std::int64_t pixel_stride = 0;  ///< as of Operand

  /// Pixels of an activation, rows of a matrix.
  [[nodiscard]] std::int64_t pixels() const { return shape.count() / channels(); }
  [[nodiscard]] std::int64_t channels() const { return shape.rank() == 0 ? 1 : shape[shape.rank() - 1]; }
  /// Elements from one pixel to the next.
  [[nodiscard]] std::int64_t stride() const { return pixel_stride != 0 ? pixel_stride : channels(); }
  /// From the first channel of the first pixel to the end of the last pixel's stride.
  [[nodiscard]] std::size_t bytes() const {
    return static_cast<std::size_t>(pixels() * stride()) * size_of(dtype);
  }
};

/// A form of some persistent parameters that is made anew in every run, since runs change them.
struct FormInArena {
  std::shared_ptr<const Packing> packing;
  std::vector<Slot> sources;
  std::size_t offset = 0;  ///< into the arena, bytes
};

/// A form of persistent parameters that no run of the plan changes: it is kept, and made anew when something
/// else changed them.
struct KeptForm {
  std::shared_ptr<const Packing> packing;
  std::vector<std::string> sources;  ///< names of persistent tensors
};

/// Where a form is that a kernel reads.
struct FormSlot {
  Residence residence = Residence::constant;
  const std::byte* bytes = nullptr;  ///< of a form of constants
  std::size_t offset = 0;  ///< into the arena, bytes; of a form that is kept its place in kept_forms()
};

/// One kernel and what it reads and writes.
struct Step {
  std::string name;  ///< of the value it computes
  AnyOp op;
  std::unique_ptr<Kernel> kernel;
  std::vector<Slot> inputs;
  std::vector<Slot> outputs;
  std::vector<FormSlot> packed = {};    ///< the forms that the kernel reads, by Kernel::packings()
  std::vector<FormInArena> packs = {};  ///< those to make just before it runs
  std::size_t scratch = 0;              ///< the kernel's workspace: into the arena, bytes
  std::int64_t multiply_adds = 0;
};

/// A value that outlives the runs of a plan.
struct PersistentTensor {
  std::string name;
  TensorSpec spec;
  Role role = Role::parameter;
  bool is_updated = false;  ///< whether a run changes it
};

/// Immutable; shared by any number of executors. It keeps the packed weights it needs, not the model file.
class Plan {
 public:
  /// Throws Error when the backend cannot run an operation or the precision, when a feature is unknown, or
  /// when a weight is missing, mis-shaped or such that there is no result. The largest weights are packed
  /// first, so that the peak of memory stays low.
  Plan(const Graph& graph, std::shared_ptr<const Backend> backend, const Weights& weights,
       const PlanOptions& options);
  /// A plan whose parameters, buffers and state a ParameterStore holds: they are read and updated by each
  /// run.
  Plan(const Graph& graph, std::shared_ptr<const Backend> backend, const PlanOptions& options);

  [[nodiscard]] const Backend& backend() const { return *backend_; }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  /// The graph's inputs, which a run may overwrite: views first, (views, T, H, W, C).
  [[nodiscard]] const std::vector<std::pair<std::string, Slot>>& inputs() const { return inputs_; }
  [[nodiscard]] const Slot& input() const { return inputs_.front().second; }
  /// Throws Error when there is none of that name.
  [[nodiscard]] const Slot& input(std::string_view name) const;
  /// What a ParameterStore has to hold.
  [[nodiscard]] const std::vector<PersistentTensor>& persistent() const { return persistent_; }
  /// What a ParameterStore has to make of them.
  [[nodiscard]] const std::vector<KeptForm>& kept_forms() const { return kept_forms_; }
  /// An output or kept feature; throws Error when there is none of that name.
  [[nodiscard]] const Slot& result(std::string_view name) const;

  /// Throws Error where a plan of inference would: for weights of which a kernel's form cannot be made. Of
  /// plans whose parameters a ParameterStore holds.
  void check_forms(const Weights& weights) const;

  [[nodiscard]] std::size_t arena_bytes() const { return arena_bytes_; }
  [[nodiscard]] std::int64_t multiply_adds() const;

 private:
  /// weights: null where a ParameterStore holds them.
  Plan(const Graph& graph, std::shared_ptr<const Backend> backend, const Weights* weights,
       const PlanOptions& options);

  std::shared_ptr<const Backend> backend_;
  std::vector<PackedWeights::Form> forms_;  ///< of constants, that steps point into
  std::vector<Step> steps_;
  std::vector<std::pair<std::string, Slot>> inputs_, results_;
  std::vector<PersistentTensor> persistent_;
  std::vector<KeptForm> kept_forms_;
  std::size_t arena_bytes_ = 0;
};

}  // namespace tpn
