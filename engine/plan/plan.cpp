#include "engine/plan/plan.h"

#include <algorithm>
#include <numeric>

#include "engine/plan/arena.h"
#include "engine/plan/fuse.h"

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

/// The classifier's matrices, (N,C) and (N,K), stay in f32.
DType activation_type(const Value& value, DType precision) {
  return value.shape.rank() == 2 ? DType::f32 : precision;
}

/// Compiles the nodes, those with the largest weights first: while one is packed, its stored form is resident
/// too.
std::vector<std::unique_ptr<Kernel>> compile_nodes(const Graph& graph, const Backend& backend,
                                                   const Weights& weights, DType precision) {
  std::vector<std::int64_t> constant_elements;
  for (const Node& node : graph.nodes()) {
    std::int64_t elements = 0;
    for (const ValueId id : node.inputs) {
      if (is_constant(graph.value(id))) elements += graph.value(id).shape.count();
    }
    constant_elements.push_back(elements);
  }
  std::vector<std::size_t> order(graph.nodes().size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return constant_elements[a] > constant_elements[b]; });

  std::vector<std::unique_ptr<Kernel>> kernels(order.size());
  for (const std::size_t index : order) {
    const Node& node = graph.nodes()[index];
    std::vector<Constant> constants(node.inputs.size());
    std::vector<Operand> inputs, outputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Value& value = graph.value(node.inputs[i]);
      if (is_constant(value)) {
        constants[i] = weights.constant(value.name, value.shape);
        inputs.push_back({value.shape, constants[i].view.dtype, &constants[i]});
      } else {
        inputs.push_back({value.shape, activation_type(value, precision), nullptr});
      }
    }
    for (const ValueId id : node.outputs) {
      outputs.push_back({graph.value(id).shape, activation_type(graph.value(id), precision), nullptr});
    }
    kernels[index] = backend.compile(node.op, inputs, outputs, weights.prepared());
  }
  return kernels;
}

/// Storage of the non-constant values: those that share memory share an index.
class Storage {
 public:
  Storage(const Graph& graph, const std::vector<std::unique_ptr<Kernel>>& kernels,
          std::span<const std::pair<std::string, ValueId>> results, DType precision)
      : buffer_(graph.values().size(), -1) {
    const int end = static_cast<int>(graph.nodes().size());
    std::vector<int> last(graph.values().size(), -1);
    for (int step = 0; step < end; ++step) {
      for (const ValueId id : graph.nodes()[at(step)].inputs) last[at(id)] = step;
    }
    for (const auto& [name, id] : results) last[at(id)] = end;

    const auto bytes = [&](ValueId id) {
      const Value& value = graph.value(id);
      return static_cast<std::size_t>(value.shape.count()) * size_of(activation_type(value, precision));
    };
    const auto add = [&](ValueId id, int first) {
      buffer_[at(id)] = static_cast<int>(lifetimes_.size());
      lifetimes_.push_back({bytes(id), first, std::max(last[at(id)], first)});
    };
    for (std::size_t id = 0; id < graph.values().size(); ++id) {
      if (graph.values()[id].role == Role::input) add(static_cast<ValueId>(id), -1);
    }
    for (int step = 0; step < end; ++step) {
      const Node& node = graph.nodes()[at(step)];
      const int shared = kernels[at(step)]->in_place_input();
      if (shared >= 0) {
        const ValueId from = node.inputs[at(shared)], to = node.outputs.front();
        if (last[at(from)] == step && bytes(from) == bytes(to)) {
          Lifetime& lifetime = lifetimes_[at(buffer_[at(from)])];
          buffer_[at(to)] = buffer_[at(from)];
          lifetime.last = std::max(lifetime.last, last[at(to)]);
        }
      }
      for (const ValueId id : node.outputs) {
        if (buffer_[at(id)] < 0) add(id, step);
      }
    }
    layout_ = plan_arena(lifetimes_);
  }

  [[nodiscard]] std::size_t offset(ValueId id) const { return layout_.offsets[at(buffer_[at(id)])]; }
  [[nodiscard]] std::size_t bytes() const { return layout_.bytes; }

 private:
  std::vector<int> buffer_;  ///< of each value; -1: constant
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
  const auto wanted = wanted_results(graph, options);
  std::vector<ValueId> keep;
  for (const auto& [name, id] : wanted) keep.push_back(id);
  const Graph used = drop_unused(graph, keep);
  const Graph planned = options.fuse ? fuse_convolutions(used, *backend_, keep) : used;

  std::vector<std::unique_ptr<Kernel>> kernels =
      compile_nodes(planned, *backend_, weights, options.precision);
  const Storage storage(planned, kernels, wanted, options.precision);
  const auto slot = [&](ValueId id) {
    const Value& value = planned.value(id);
    if (is_constant(value)) return Slot{value.shape, DType::f32, true, 0};
    return Slot{value.shape, activation_type(value, options.precision), false, storage.offset(id)};
  };
  std::size_t scratch = 0;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const Node& node = planned.nodes()[i];
    scratch = std::max(scratch, kernels[i]->scratch_bytes());
    Step step{planned.value(node.outputs.front()).name, node.op, std::move(kernels[i]), {}, {}, 0};
    for (const ValueId id : node.inputs) step.inputs.push_back(slot(id));
    for (const ValueId id : node.outputs) step.outputs.push_back(slot(id));
    step.multiply_adds =
        tpn::multiply_adds(node.op, planned.shapes(node.inputs), planned.shapes(node.outputs));
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
