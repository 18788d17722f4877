// Networks of the goldens, ready to run on any backend.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "engine/exec/executor.h"
#include "engine/networks/network.h"
#include "tests/support/golden.h"

namespace tpn::test {

struct GoldenName {
  std::filesystem::path directory;
  std::string name;
};

/// Where it is.
std::ostream& operator<<(std::ostream& out, const GoldenName& golden);

/// A name for parametrised tests: letters, digits and underscores.
std::string test_name(const GoldenName& golden, std::size_t index);

/// The goldens of whole networks below those folders, each once even if several folders have it.
std::vector<GoldenName> forward_goldens(const std::vector<std::filesystem::path>& directories);

/// The model file among the test data that the converter made of that golden's checkpoint, for machines that
/// do not have the converter.
std::filesystem::path converted_weights(const std::string& golden);

/// A golden with its network, weights and input in the layout of the plan.
class GoldenNetwork {
 public:
  /// weights: the golden's, converted.
  GoldenNetwork(const GoldenName& which, std::shared_ptr<const Weights> weights);

  [[nodiscard]] const Golden& golden() const { return golden_; }
  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const Config& config() const { return weights_->config(); }
  [[nodiscard]] std::int64_t views() const { return size_.views; }

  /// Values of the features named by the golden, and of the logits, in its layout. options: but for
  /// `features`.
  [[nodiscard]] std::map<std::string, std::vector<float>> run(std::shared_ptr<const Backend> backend,
                                                              PlanOptions options) const;
  /// What run() should give for that feature.
  [[nodiscard]] std::span<const float> expected(const std::string& name) const {
    return golden_.values<float>(name, DType::f32);
  }
  /// The largest deviation that PyTorch's own f32 has from f64 there.
  [[nodiscard]] double f32_error(const std::string& name) const;

 private:
  void fill(const TensorView& input) const;

  Golden golden_;
  std::shared_ptr<const Weights> weights_;
  InputSize size_;
  Graph graph_;
  bool flat_ = false;  ///< the backbone is two-dimensional: its features have frames outside channels
};

}  // namespace tpn::test
