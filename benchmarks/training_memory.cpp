#include "benchmarks/training_memory.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>
#include <variant>

namespace tpn::benchmarks {
namespace {

/// A tensor that is needed from step `first` to step `last`.
struct Occupant {
  ArenaTensor tensor;
  std::size_t first = 0, last = 0;
};

/// Goes through a plan's steps and notes which tensors are in its arena.
class Occupancy {
 public:
  explicit Occupancy(const Plan& plan) {
    for (const auto& [name, slot] : plan.inputs()) {
      make(slot, {name, "input", slot.shape}, 0);
    }
    for (std::size_t i = 0; i < plan.steps().size(); ++i) run(plan.steps()[i], i);
  }

  [[nodiscard]] const std::vector<Occupant>& occupants() const { return occupants_; }

 private:
  void run(const Step& step, std::size_t index) {
    for (const Slot& slot : step.inputs) {
      if (slot.residence == Residence::arena) read(slot.offset, slot.bytes(), index);
    }
    for (const FormInArena& form : step.packs) {
      put(form.offset, {step.name, "packed weight", {}, form.packing->bytes()}, index);
    }
    for (const FormSlot& form : step.packed) {
      if (form.residence == Residence::arena) read(form.offset, 1, index);
    }
    for (const Slot& slot : step.outputs) {
      if (slot.residence != Residence::arena) continue;
      make(slot, {step.name, std::string(tpn::name_of(step.op)), slot.shape}, index);
    }
    if (const std::size_t bytes = step.kernel->scratch_bytes(); bytes > 0) {
      occupants_.push_back({{step.name, "workspace", {}, bytes}, index, index});
    }
  }

  /// Keeps what begins in that range: a concatenation begins with its parts.
  void read(std::size_t offset, std::size_t bytes, std::size_t index) {
    for (auto it = current_.lower_bound(offset); it != current_.end() && it->first < offset + bytes; ++it) {
      occupants_[it->second].last = index;
    }
  }

  void make(const Slot& slot, ArenaTensor tensor, std::size_t index) {
    tensor.bytes = static_cast<std::size_t>(slot.shape.count()) * size_of(slot.dtype);
    // Other parts of the same concatenation lie between the first and the last byte of one.
    const bool part = slot.stride() > slot.channels() && tensor.bytes < slot.bytes() / 2;
    if (!part) {
      current_.erase(current_.upper_bound(slot.offset), current_.lower_bound(slot.offset + slot.bytes()));
    }
    put(slot.offset, std::move(tensor), index);
  }

  /// An input that the step overwrites is no longer there beside its output.
  void put(std::size_t offset, ArenaTensor tensor, std::size_t index) {
    if (const auto old = current_.find(offset); old != current_.end() && index > 0) {
      Occupant& overwritten = occupants_[old->second];
      overwritten.last = std::min(overwritten.last, index - 1);
    }
    current_[offset] = occupants_.size();
    occupants_.push_back({std::move(tensor), index, index});
  }

  std::vector<Occupant> occupants_;
  std::map<std::size_t, std::size_t> current_;  ///< by offset, the last that was put there
};

}  // namespace

TrainingMemory training_memory(const Plan& plan, std::size_t most) {
  TrainingMemory memory;
  for (const PersistentTensor& tensor : plan.persistent()) {
    const std::size_t bytes =
        static_cast<std::size_t>(tensor.spec.shape.count()) * size_of(tensor.spec.dtype);
    (tensor.role == Role::parameter ? memory.parameters
     : tensor.role == Role::state   ? memory.momentum
                                    : memory.buffers) += bytes;
  }
  for (const KeptForm& form : plan.kept_forms()) memory.packed += form.packing->bytes();
  memory.arena = plan.arena_bytes();
  for (const Step& step : plan.steps()) {
    memory.workspace = std::max(memory.workspace, step.kernel->scratch_bytes());
    if (!std::holds_alternative<ops::GradientNorm>(step.op)) continue;
    for (const Slot& slot : step.inputs) {
      if (slot.kind != Kind::scalar) memory.gradients += slot.bytes();
    }
  }

  const Occupancy occupancy(plan);
  std::vector<std::size_t> sums(plan.steps().size());
  for (const Occupant& occupant : occupancy.occupants()) {
    for (std::size_t i = occupant.first; i <= occupant.last; ++i) sums[i] += occupant.tensor.bytes;
  }
  const auto peak = static_cast<std::size_t>(std::ranges::max_element(sums) - sums.begin());
  memory.peak_step = plan.steps()[peak].name;
  memory.peak = sums[peak];
  for (const Occupant& occupant : occupancy.occupants()) {
    if (occupant.first <= peak && peak <= occupant.last) memory.largest.push_back(occupant.tensor);
  }
  std::ranges::stable_sort(memory.largest, std::ranges::greater{}, &ArenaTensor::bytes);
  if (memory.largest.size() > most) memory.largest.resize(most);
  return memory;
}

}  // namespace tpn::benchmarks
