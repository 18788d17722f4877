// Networks of the goldens, ready to run on any backend.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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

/// The goldens of that kind ("forward": networks; "train": steps of training) below those folders, each once
/// even if several folders have it.
std::vector<GoldenName> goldens_of(std::string_view kind,
                                   const std::vector<std::filesystem::path>& directories);

/// The size of a golden's input, all views of all videos.
InputSize input_size(const Golden& golden, const Config& config);
/// Writes a golden's input to views (N,T,H,W,3), in their type.
void fill_views(const Golden& golden, const Config& config, const TensorView& views);

/// The model file among the test data that the converter made of that golden's checkpoint, for machines that
/// do not have the converter.
std::filesystem::path converted_weights(const std::string& golden);

/// Values of named features, in the order in which the network computes them.
class Features {
 public:
  void add(std::string name, std::vector<float> values) {
    features_.emplace_back(std::move(name), std::move(values));
  }
  /// Throws std::out_of_range when there is none of that name.
  [[nodiscard]] const std::vector<float>& at(std::string_view name) const;
  [[nodiscard]] std::size_t size() const { return features_.size(); }
  [[nodiscard]] auto begin() const { return features_.begin(); }
  [[nodiscard]] auto end() const { return features_.end(); }

 private:
  std::vector<std::pair<std::string, std::vector<float>>> features_;
};

/// How far a feature is from what it should be, and how far it may be.
struct Deviation {
  double found = 0;
  double allowed = 0;
};

/// One sentence about the first feature that deviates by more than it may, from where the others have it;
/// empty where there is none. of: (name, values) -> Deviation.
std::string first_deviation(const Features& features,
                            const std::function<Deviation(const std::string&, std::span<const float>)>& of);

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
  [[nodiscard]] Features run(std::shared_ptr<const Backend> backend, PlanOptions options) const;
  /// What run() should give for that feature.
  [[nodiscard]] std::span<const float> expected(const std::string& name) const {
    return golden_.values<float>(name, DType::f32);
  }
  /// How far values of a feature are from the golden, relative L2. They may be `tolerance` away, or where
  /// that is stricter than what rounding weights and activations costs (`rounded`: the network on the
  /// reference's maths, so rounded), a few times that.
  [[nodiscard]] Deviation storage_deviation(const std::string& name, std::span<const float> values,
                                            const Features& rounded, double tolerance) const;
  /// The same for values computed in f32, as the largest difference: a few times the one that PyTorch's own
  /// f32 has from f64 there is allowed.
  [[nodiscard]] Deviation f32_deviation(const std::string& name, std::span<const float> values) const;

 private:
  /// expected(), throwing Error unless it has so many values.
  [[nodiscard]] std::span<const float> of_size(const std::string& name, std::size_t size) const;

  Golden golden_;
  std::shared_ptr<const Weights> weights_;
  InputSize size_;
  Graph graph_;
  bool flat_ = false;  ///< the backbone is two-dimensional: its features have frames outside channels
};

}  // namespace tpn::test
