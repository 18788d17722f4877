#include "engine/plan/plan.h"

#include <algorithm>
#include <numeric>

#include "engine/plan/arena.h"
#include "engine/plan/fuse.h"
#include "engine/plan/layout.h"
#include "engine/plan/pack_parameters.h"

namespace tpn {
namespace {

std::size_t at(ValueId id) {
  return static_cast<std::size_t>(id);
}

bool is_constant(const Value& value) {
  return value.role == Role::parameter || value.role == Role::buffer;
}

/// Names under which results are asked for, with their values: the graph's outputs first.
std::vector<std::pair<std::string, ValueId>> wanted_results(const Graph& graph, const PlanOptions& options) {
  std::vector<std::pair<std::string, ValueId>> wanted;
  for (const auto& [name, id] : graph.features()) {
    if (graph.value(id).role == Role::output) wanted.emplace_back(name, id);
  }
  for (const std::string& name : options.features) wanted.emplace_back(name, graph.feature(name));
  return wanted;
}

std::vector<std::unique_ptr<Kernel>> compile_nodes(const Layout& layout, const Backend& backend, bool tf32) {
  const Graph& graph = layout.graph;
  const auto operand = [&](ValueId id) {
    const Value& value = graph.value(id);
    const ValueLayout& own = layout.values[at(id)];
    if (is_constant(value))
      return Operand{.shape = value.spec.shape, .kind = value.spec.kind, .name = value.name};
    return Operand{value.spec.shape, own.dtype, own.pixel_stride, value.spec.kind};
  };
  std::vector<std::unique_ptr<Kernel>> kernels;
  for (const Node& node : graph.nodes()) {
    std::vector<Operand> inputs, outputs;
    for (const ValueId id : node.inputs) inputs.push_back(operand(id));
    for (const ValueId id : node.outputs) outputs.push_back(operand(id));
    kernels.push_back(backend.compile(node.op, {inputs, outputs, tf32}));
  }
  return kernels;
}

/// Places the values in memory: those that share it, in place or as slices, share a lifetime.
class Storage {
 public:
  Storage(const Layout& layout, const std::vector<std::unique_ptr<Kernel>>& kernels,
          std::span<const std::pair<std::string, ValueId>> results, std::size_t alignment)
      : values_(layout.values), lifetime_(layout.values.size(), -1) {
    const Graph& graph = layout.graph;
    const int end = static_cast<int>(graph.nodes().size());
    last_.assign(graph.values().size(), -1);
    for (int step = 0; step < end; ++step) {
      for (const ValueId id : graph.nodes()[at(step)].inputs) last_[at(id)] = step;
    }
    for (const auto& [name, id] : results) last_[at(id)] = end;

    for (std::size_t id = 0; id < graph.values().size(); ++id) {
      if (graph.values()[id].role == Role::input) begin(static_cast<ValueId>(id), -1);
    }
    for (int step = 0; step < end; ++step) {
      const Node& node = graph.nodes()[at(step)];
      const int shared = kernels[at(step)]->in_place_input();
      if (shared >= 0) share(node, node.inputs[at(shared)], step);
      for (const ValueId id : node.outputs) begin(owner(id), step);
    }
    layout_ = plan_arena(lifetimes_, alignment);
  }

  [[nodiscard]] std::size_t offset(ValueId id) const {
    const ValueLayout& value = values_[at(id)];
    const auto inside = static_cast<std::size_t>(value.channel) * size_of(value.dtype);
    return layout_.offsets[at(lifetime_[at(owner(id))])] + inside;
  }
  [[nodiscard]] std::size_t bytes() const { return layout_.bytes; }

 private:
  /// The value whose memory it lies in.
  [[nodiscard]] ValueId owner(ValueId id) const {
    return values_[at(id)].whole >= 0 ? values_[at(id)].whole : id;
  }

  /// The value is first written in that step, unless it was before.
  void begin(ValueId id, int step) {
    if (lifetime_[at(id)] >= 0) return;
    lifetime_[at(id)] = static_cast<int>(lifetimes_.size());
    lifetimes_.push_back({values_[at(id)].bytes, step, std::max(last_[at(id)], step)});
  }

  /// Lets the output of a node, computed in that step, take over the memory of its input `from`, if that is
  /// read for the last time, and only once: what the node reads elsewhere must not change under its hands.
  void share(const Node& node, ValueId from, int step) {
    const ValueId to = node.outputs.front();
    if (owner(from) != from || owner(to) != to || last_[at(from)] != step) return;
    if (std::ranges::count(node.inputs, from) != 1) return;
    if (values_[at(from)].bytes != values_[at(to)].bytes) return;
    Lifetime& lifetime = lifetimes_[at(lifetime_[at(from)])];
    lifetime_[at(to)] = lifetime_[at(from)];
    lifetime.last = std::max(lifetime.last, last_[at(to)]);
  }

  std::span<const ValueLayout> values_;
  std::vector<int> lifetime_;  ///< of each value, an index; -1: none yet
  std::vector<int> last_;      ///< step that reads each value last
  std::vector<Lifetime> lifetimes_;
  ArenaLayout layout_;
};

}  // namespace

Plan::Plan(const Graph& graph, std::shared_ptr<const Backend> backend, const Weights& weights,
           const PlanOptions& options)
    : backend_(std::move(backend)) {
  if (!backend_->supports(options.precision)) {
    throw Error("The device '" + std::string(backend_->name()) + "' of this machine does not compute in " +
                std::string(name_of(options.precision)) + "; use f32.");
  }
  if (options.tf32 && (options.precision != DType::f32 || !backend_->supports_tf32())) {
    throw Error("The device '" + std::string(backend_->name()) +
                "' of this machine does not compute in tf32; use f32.");
  }
  const auto wanted = wanted_results(graph, options);
  std::vector<ValueId> keep;
  keep.reserve(wanted.size());
  for (const auto& [name, id] : wanted) keep.push_back(id);
  const Graph used = drop_unused(graph, keep);
  const Layout layout = lay_out(options.fuse ? fuse(used, *backend_, keep) : used, *backend_,
                                options.precision, options.fuse, keep);
  const Graph& planned = layout.graph;

  std::vector<std::unique_ptr<Kernel>> kernels = compile_nodes(layout, *backend_, options.tf32);
  backend_->finish_compiling();
  PackedParameters parameters = pack_parameters(planned, kernels, *backend_, weights);
  forms_ = std::move(parameters.forms);
  const Storage storage(layout, kernels, wanted, backend_->memory_alignment());
  const auto slot = [&](ValueId id) {
    const Value& value = planned.value(id);
    const auto& [shape, kind, dtype] = value.spec;
    if (is_constant(value)) return Slot{shape, kind, dtype, true, parameters.values[at(id)]};
    const ValueLayout& own = layout.values[at(id)];
    return Slot{shape, kind, own.dtype, false, nullptr, storage.offset(id), own.pixel_stride};
  };
  std::size_t scratch = 0;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const Node& node = planned.nodes()[i];
    scratch = std::max(scratch, kernels[i]->scratch_bytes());
    Step step{planned.value(node.outputs.front()).name, node.op, std::move(kernels[i]), {}, {},
              std::move(parameters.packed[i])};
    for (const ValueId id : node.inputs) step.inputs.push_back(slot(id));
    for (const ValueId id : node.outputs) step.outputs.push_back(slot(id));
    step.multiply_adds = tpn::multiply_adds(node.op, planned.specs(node.inputs), planned.specs(node.outputs));
    steps_.push_back(std::move(step));
  }
  for (std::size_t id = 0; id < planned.values().size(); ++id) {
    if (planned.values()[id].role == Role::input) input_ = slot(static_cast<ValueId>(id));
  }
  for (const auto& [name, id] : wanted) results_.emplace_back(name, slot(id));
  scratch_offset_ = storage.bytes();
  arena_bytes_ = scratch_offset_ + scratch;
}

const Slot& Plan::result(std::string_view name) const {
  const auto found =
      std::find_if(results_.begin(), results_.end(), [&](const auto& r) { return r.first == name; });
  if (found == results_.end())
    throw Error("The plan does not keep a result named '" + std::string(name) + "'.");
  return found->second;
}

std::int64_t Plan::multiply_adds() const {
  return std::accumulate(steps_.begin(), steps_.end(), std::int64_t{0},
                         [](std::int64_t sum, const Step& step) { return sum + step.multiply_adds; });
}

}  // namespace tpn
