#include "engine/plan/plan.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "engine/plan/arena.h"
#include "engine/plan/defer_weight_gradients.h"
#include "engine/plan/fuse.h"
#include "engine/plan/layout.h"
#include "engine/plan/pack_parameters.h"

namespace tpn {
namespace {

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
    const ValueLayout& own = layout.values[index_of(id)];
    Operand result{value.spec.shape, own.dtype, own.pixel_stride, value.spec.kind};
    if (value.is_persistent()) result.name = value.name;
    return result;
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

/// Of each value, whether a node gives it new content.
std::vector<bool> updated_values(const Graph& graph) {
  std::vector<bool> updated(graph.values().size());
  for (const Node& node : graph.nodes()) {
    for (const ValueId id : node.outputs) {
      if (graph.value(id).updates >= 0) updated[index_of(graph.value(id).updates)] = true;
    }
  }
  return updated;
}

/// Places the values in memory: those that share it, in place or as slices, share a lifetime. There are also
/// the forms of parameters that the graph updates, from the first kernel that reads one to the last, and each
/// kernel's workspace.
class Storage {
 public:
  /// order: that of the steps, as places of their nodes. kernels: of the nodes.
  Storage(const Layout& layout, std::span<const std::size_t> order,
          const std::vector<std::unique_ptr<Kernel>>& kernels,
          std::span<const std::pair<std::string, ValueId>> results, const std::vector<bool>& updated,
          std::size_t alignment)
      : values_(layout.values), lifetime_(layout.values.size(), -1) {
    const Graph& graph = layout.graph;
    const auto end = static_cast<int>(order.size());
    last_.assign(graph.values().size(), -1);
    for (int step = 0; step < end; ++step) {
      const std::size_t place = order[static_cast<std::size_t>(step)];
      for (const ValueId id : graph.nodes()[place].inputs) last_[index_of(id)] = step;
    }
    for (const auto& [name, id] : results) last_[index_of(id)] = end;
    for (const Value& value : graph.values()) outside_.push_back(value.is_persistent() || value.updates >= 0);

    for (std::size_t id = 0; id < graph.values().size(); ++id) {
      if (graph.values()[id].role == Role::input) begin(static_cast<ValueId>(id), -1);
    }
    for (int step = 0; step < end; ++step) {
      const std::size_t place = order[static_cast<std::size_t>(step)];
      const Node& node = graph.nodes()[place];
      const Kernel& kernel = *kernels[place];
      const int shared = kernel.in_place_input();
      if (shared >= 0) share(node, node.inputs[static_cast<std::size_t>(shared)], step);
      for (const ValueId id : node.outputs) begin(owner(id), step);
      for (const auto& packing : kernel.packings()) {
        const auto changes = [&](std::size_t source) { return updated[index_of(node.inputs[source])]; };
        if (std::ranges::any_of(packing->sources(), changes)) hold(*packing, step);
      }
      scratch_.push_back(lifetimes_.size());
      lifetimes_.push_back({kernel.scratch_bytes(), step, step});
    }
    layout_ = plan_arena(lifetimes_, alignment);
  }

  [[nodiscard]] std::size_t offset(ValueId id) const {
    const ValueLayout& value = values_[index_of(id)];
    const auto inside = static_cast<std::size_t>(value.channel) * size_of(value.dtype);
    return layout_.offsets[static_cast<std::size_t>(lifetime_[index_of(owner(id))])] + inside;
  }
  /// Whether the form is in the arena.
  [[nodiscard]] bool holds(const Packing& packing) const { return forms_.contains(packing.key()); }
  /// Of a form in the arena.
  [[nodiscard]] std::size_t offset(const Packing& packing) const {
    return layout_.offsets[forms_.at(packing.key())];
  }
  /// Of a step's workspace.
  [[nodiscard]] std::size_t scratch_offset(std::size_t step) const { return layout_.offsets[scratch_[step]]; }
  /// Whether that step is the first that reads the form.
  [[nodiscard]] bool first_reads(const Packing& packing, int step) const {
    return lifetimes_[forms_.at(packing.key())].first == step;
  }
  [[nodiscard]] std::size_t bytes() const { return layout_.bytes; }

 private:
  /// The value whose memory it lies in.
  [[nodiscard]] ValueId owner(ValueId id) const {
    return values_[index_of(id)].whole >= 0 ? values_[index_of(id)].whole : id;
  }

  /// The value is first written in that step, unless it was before.
  void begin(ValueId id, int step) {
    if (lifetime_[index_of(id)] >= 0 || outside_[index_of(id)]) return;
    lifetime_[index_of(id)] = static_cast<int>(lifetimes_.size());
    lifetimes_.push_back({values_[index_of(id)].bytes, step, std::max(last_[index_of(id)], step)});
  }

  /// The form of parameters is read in that step.
  void hold(const Packing& packing, int step) {
    const auto [form, is_new] = forms_.try_emplace(packing.key(), lifetimes_.size());
    if (is_new) lifetimes_.push_back({packing.bytes(), step, step});
    lifetimes_[form->second].last = step;
  }

  /// Lets the output of a node, computed in that step, take over the memory of its input `from`, if that is
  /// read for the last time, and only once: what the node reads elsewhere must not change under its hands.
  void share(const Node& node, ValueId from, int step) {
    const ValueId to = node.outputs.front();
    if (owner(from) != from || owner(to) != to || last_[index_of(from)] != step) return;
    if (outside_[index_of(from)] || outside_[index_of(to)]) return;
    if (std::ranges::count(node.inputs, from) != 1) return;
    if (values_[index_of(from)].bytes != values_[index_of(to)].bytes) return;
    Lifetime& lifetime = lifetimes_[static_cast<std::size_t>(lifetime_[index_of(from)])];
    lifetime_[index_of(to)] = lifetime_[index_of(from)];
    lifetime.last = std::max(lifetime.last, last_[index_of(to)]);
  }

  std::span<const ValueLayout> values_;
  std::vector<int> lifetime_;  ///< of each value, an index; -1: none yet
  std::vector<int> last_;      ///< step that reads each value last
  std::vector<bool> outside_;  ///< whether another than the executor holds its memory
  std::vector<Lifetime> lifetimes_;
  std::map<std::string, std::size_t> forms_;  ///< by Packing::key(), indices of lifetimes
  std::vector<std::size_t> scratch_;          ///< of each step, an index of lifetimes
  ArenaLayout layout_;
};

/// Tells the steps of a plan that trains where the forms are that their kernels read, and when to make them.
class TrainedForms {
 public:
  /// kept: receives the forms that outlive a run.
  TrainedForms(const Storage& storage, std::span<const PersistentTensor> persistent,
               std::vector<KeptForm>& kept)
      : storage_(storage), persistent_(persistent), kept_(kept) {}

  void add_to(Step& step, int index) {
    for (const auto& packing : step.kernel->packings()) {
      if (!storage_.holds(*packing)) {
        step.packed.push_back({Residence::persistent, nullptr, keep(packing, step)});
        continue;
      }
      const std::size_t offset = storage_.offset(*packing);
      step.packed.push_back({Residence::arena, nullptr, offset});
      if (!storage_.first_reads(*packing, index)) continue;
      std::vector<Slot> sources;
      sources.reserve(packing->sources().size());
      for (const std::size_t source : packing->sources()) sources.push_back(step.inputs[source]);
      step.packs.push_back({packing, std::move(sources), offset});
    }
  }

 private:
  /// Its place among those that are kept.
  std::size_t keep(const std::shared_ptr<const Packing>& packing, const Step& step) {
    const auto [place, is_new] = places_.try_emplace(packing->key(), kept_.size());
    if (!is_new) return place->second;
    std::vector<std::string> sources;
    sources.reserve(packing->sources().size());
    for (const std::size_t source : packing->sources()) {
      sources.push_back(persistent_[step.inputs[source].offset].name);
    }
    kept_.push_back({packing, std::move(sources)});
    return place->second;
  }

  const Storage& storage_;
  std::span<const PersistentTensor> persistent_;
  std::vector<KeptForm>& kept_;
  std::map<std::string, std::size_t> places_;  ///< of those that are kept, by Packing::key()
};

}  // namespace

Plan::Plan(const Graph& graph, std::shared_ptr<const Backend> backend, const Weights& weights,
           const PlanOptions& options)
    : Plan(graph, std::move(backend), &weights, options) {}

Plan::Plan(const Graph& graph, std::shared_ptr<const Backend> backend, const PlanOptions& options)
    : Plan(graph, std::move(backend), nullptr, options) {}

Plan::Plan(const Graph& graph, std::shared_ptr<const Backend> backend, const Weights* weights,
           const PlanOptions& options)
    : backend_(std::move(backend)) {
  if (!supports(*backend_, options.precision) || !backend_->supports(options.storage())) {
    throw Error("The device '" + std::string(backend_->name()) + "' of this machine does not compute in " +
                std::string(options.exact ? name_of(DType::f64) : name_of(options.precision)) + "; use f32.");
  }
  const auto wanted = wanted_results(graph, options);
  std::vector<ValueId> keep;
  keep.reserve(wanted.size());
  for (const auto& [name, id] : wanted) keep.push_back(id);
  const Graph used = drop_unused(graph, keep);
  const Layout layout = lay_out(options.fuse ? fuse(used, *backend_, keep) : used, *backend_,
                                options.storage(), options.fuse, keep);
  const Graph& planned = layout.graph;

  std::vector<std::unique_ptr<Kernel>> kernels =
      compile_nodes(layout, *backend_, options.precision == Precision::tf32);
  backend_->finish_compiling();
  const bool trains = weights == nullptr;
  PackedParameters parameters;
  if (!trains) parameters = pack_parameters(planned, kernels, *backend_, *weights);
  forms_ = std::move(parameters.forms);
  const std::vector<bool> updated = updated_values(planned);
  std::vector<std::size_t> order(kernels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto store = [&](std::span<const std::size_t> steps) {
    return Storage(layout, steps, kernels, wanted, updated, backend_->memory_alignment());
  };
  Storage storage = store(order);
  if (trains && options.reorder) {
    std::vector<std::size_t> deferred = defer_weight_gradients(layout, keep);
    Storage other = store(deferred);
    if (other.bytes() < storage.bytes()) {
      order = std::move(deferred);
      storage = std::move(other);
    }
  }
  std::vector<std::size_t> persistent(planned.values().size());  // places of those that are
  for (std::size_t id = 0; trains && id < planned.values().size(); ++id) {
    const Value& value = planned.values()[id];
    if (!value.is_persistent()) continue;
    persistent[id] = persistent_.size();
    persistent_.push_back({value.name, value.spec, value.role, updated[id]});
  }
  TrainedForms trained_forms(storage, persistent_, kept_forms_);
  const auto slot = [&](ValueId id) {
    const Value& own = planned.value(id);
    const ValueId held = own.updates >= 0 ? own.updates : id;
    const auto& [shape, kind, dtype] = own.spec;
    if (planned.value(held).is_persistent()) {
      return trains ? Slot{shape, kind, dtype, Residence::persistent, nullptr, persistent[index_of(held)]}
                    : Slot{shape, kind, dtype, Residence::constant, parameters.values[index_of(id)]};
    }
    const ValueLayout& value = layout.values[index_of(id)];
    return Slot{shape, kind, value.dtype, Residence::arena, nullptr, storage.offset(id), value.pixel_stride};
  };
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Node& node = planned.nodes()[order[i]];
    Step step{planned.value(node.outputs.front()).name, node.op, std::move(kernels[order[i]]), {}, {}};
    for (const ValueId id : node.inputs) step.inputs.push_back(slot(id));
    for (const ValueId id : node.outputs) step.outputs.push_back(slot(id));
    if (trains) {
      trained_forms.add_to(step, static_cast<int>(i));
    } else {
      for (const std::byte* form : parameters.packed[order[i]])
        step.packed.push_back({Residence::constant, form});
    }
    step.scratch = storage.scratch_offset(i);
    step.multiply_adds = tpn::multiply_adds(node.op, planned.specs(node.inputs), planned.specs(node.outputs));
    steps_.push_back(std::move(step));
  }
  for (std::size_t id = 0; id < planned.values().size(); ++id) {
    if (planned.values()[id].role != Role::input) continue;
    inputs_.emplace_back(planned.values()[id].name, slot(static_cast<ValueId>(id)));
  }
  for (const auto& [name, id] : wanted) results_.emplace_back(name, slot(id));
  arena_bytes_ = storage.bytes();
}

void Plan::check_forms(const Weights& weights) const {
  for (const Step& step : steps_) {
    for (const auto& packing : step.kernel->packings()) {
      std::vector<StoredParameter> sources;
      for (const std::size_t source : packing->sources()) {
        const Slot& slot = step.inputs[source];
        sources.push_back(weights.parameter(persistent_[slot.offset].name, slot.shape));
      }
      check(*packing, sources);
    }
  }
}

const Slot& Plan::input(std::string_view name) const {
  const auto found = std::ranges::find(inputs_, name, &std::pair<std::string, Slot>::first);
  if (found == inputs_.end()) throw Error("The plan has no input named '" + std::string(name) + "'.");
  return found->second;
}

const Slot& Plan::result(std::string_view name) const {
  const auto found = std::ranges::find(results_, name, &std::pair<std::string, Slot>::first);
  if (found == results_.end())
    throw Error("The plan does not keep a result named '" + std::string(name) + "'.");
  return found->second;
}

std::int64_t Plan::multiply_adds() const {
  return std::accumulate(steps_.begin(), steps_.end(), std::int64_t{0},
                         [](std::int64_t sum, const Step& step) { return sum + step.multiply_adds; });
}

}  // namespace tpn
