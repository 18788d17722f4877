#include "engine/plan/defer_weight_gradients.h"

#include <algorithm>
#include <functional>

namespace tpn {
namespace {

/// Goes through the nodes from the last to the first, so that the readers of a value have their places
/// already.
class Deferral {
 public:
  Deferral(const Layout& layout, std::span<const ValueId> keep)
      : graph_(layout.graph),
        values_(layout.values),
        waiting_(graph_.nodes().size()),
        first_reader_(values_.size(), graph_.nodes().size()),
        last_reader_(values_.size()) {
    for (const ValueId id : keep) last_reader_[index_of(id)] = graph_.nodes().size();
  }

  std::vector<std::size_t> run() {
    const std::span<const Node> nodes = graph_.nodes();
    std::vector<std::size_t> order;
    std::vector<bool> waits(nodes.size());
    for (std::size_t i = nodes.size(); i-- > 0;) {
      waits[i] = defer(nodes[i], i);
      const std::size_t place = waits[i] ? first_reader_[index_of(nodes[i].outputs.front())] : i;
      for (const ValueId id : nodes[i].inputs) {
        first_reader_[index_of(id)] = std::min(first_reader_[index_of(id)], place);
        last_reader_[index_of(id)] = std::max(last_reader_[index_of(id)], place);
      }
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      std::ranges::sort(waiting_[i], [](const Waiting& a, const Waiting& b) {
        return a.kept != b.kept ? a.kept > b.kept : a.node < b.node;
      });
      for (const Waiting& before : waiting_[i]) order.push_back(before.node);
      if (!waits[i]) order.push_back(i);
    }
    return order;
  }

 private:
  struct Waiting {
    std::size_t node;
    std::size_t kept;  ///< bytes of what is there longer for it
  };

  /// Lets a node wait for the first reader of what it makes, if that takes less memory.
  bool defer(const Node& node, std::size_t index) {
    const ValueId made = node.outputs.front();
    const std::size_t reader = first_reader_[index_of(made)];
    if (reader == graph_.nodes().size() || !makes_weights(node)) return false;
    std::size_t kept = 0;
    for (const ValueId id : node.inputs) {
      if (last_reader_[index_of(id)] < reader) kept += values_[index_of(id)].bytes;
    }
    if (kept >= values_[index_of(made)].bytes) return false;
    waiting_[reader].push_back({index, kept});
    return true;
  }

  [[nodiscard]] bool makes_weights(const Node& node) const {
    const auto has_kind = [&](Kind kind) {
      return [this, kind](ValueId id) { return graph_.value(id).spec.kind == kind; };
    };
    return std::ranges::all_of(node.inputs, has_kind(Kind::activation)) &&
           std::ranges::all_of(node.outputs, has_kind(Kind::weight));
  }

  const Graph& graph_;
  std::span<const ValueLayout> values_;
  std::vector<std::vector<Waiting>> waiting_;            ///< for each node
  std::vector<std::size_t> first_reader_, last_reader_;  ///< of each value, places of those behind the node
};

}  // namespace

std::vector<std::size_t> defer_weight_gradients(const Layout& layout, std::span<const ValueId> keep) {
  return Deferral(layout, keep).run();
}

}  // namespace tpn
