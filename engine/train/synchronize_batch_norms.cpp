#include "engine/train/synchronize_batch_norms.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/train/training_graph.h"

namespace tpn {
namespace {

class Synchronizer {
 public:
  Synchronizer(const Graph& graph, std::int64_t ranks)
      : graph_(graph),
        ranks_(ranks),
        present_(graph_.add_input(std::string(training_input::present), scalar())) {}

  Graph run() {
    const std::vector<Node> nodes(graph_.nodes().begin(), graph_.nodes().end());
    for (const Node& node : nodes) {
      if (const auto* norm = std::get_if<ops::BatchNormTraining>(&node.op)) {
        add(*norm, node);
      } else if (const auto* gradient = std::get_if<ops::BatchNormGradient>(&node.op)) {
        add(*gradient, node);
      } else {
        nodes_.push_back(node);
      }
    }
    return graph_.with_nodes(std::move(nodes_));
  }

 private:
  void add(const ops::BatchNormTraining& norm, const Node& node) {
    const std::string& name = graph_.value(node.outputs[0]).name;
    const ValueId moments =
        gather(apply(ops::BatchNormMoments{}, {node.inputs[0], present_}, name + ".moments"),
               name + ".moments_of_all");
    moments_.emplace(node.outputs[1], moments);
    Node synchronized{ops::BatchNormSynchronized{norm}, node.inputs, node.outputs};
    synchronized.inputs.insert(synchronized.inputs.begin() + 6, moments);
    nodes_.push_back(std::move(synchronized));
  }

  /// Its sums are the gradients of scale and shift, which are this rank's alone.
  void add(const ops::BatchNormGradient& gradient, const Node& node) {
    const std::vector<ValueId> sums{node.outputs[1], node.outputs[2]};
    nodes_.push_back({ops::BatchNormGradientSums{gradient.relu}, node.inputs, sums});
    const ValueId mean = node.inputs[3];
    std::vector<ValueId> inputs = node.inputs;
    inputs.insert(inputs.begin() + 5,
                  {gather(sums, graph_.value(sums[0]).name + ".of_all"), moments_.at(mean), present_});
    nodes_.push_back(
        {ops::BatchNormGradientSynchronized{gradient.relu}, std::move(inputs), {node.outputs[0]}});
  }

  ValueId gather(std::vector<ValueId> values, const std::string& name) {
    return apply(ops::AllGather{ranks_}, std::move(values), name).front();
  }

  std::vector<ValueId> apply(const AnyOp& op, std::vector<ValueId> inputs, const std::string& name) {
    std::vector<ValueId> outputs = graph_.apply_all(op, std::move(inputs), name);
    nodes_.push_back(graph_.nodes().back());
    return outputs;
  }

  Graph graph_;  ///< grows
  std::int64_t ranks_;
  ValueId present_;
  std::map<ValueId, ValueId> moments_;  ///< of all ranks, by the mean that they give
  std::vector<Node> nodes_;             ///< of the result
};

}  // namespace

Graph synchronize_batch_norms(const Graph& graph, std::int64_t ranks) {
  return Synchronizer(graph, ranks).run();
}

}  // namespace tpn
