// What all copies of a Model share: the weights, and the plans made from them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/devices/plan_cache.h"
#include "engine/model/weights.h"
#include "engine/recognize/tpn.h"

namespace tpn {

/// Thread-safe.
class ModelState {
 public:
  explicit ModelState(const std::filesystem::path& path)
      : weights_(Weights::load(path)),
        labels_(std::make_shared<const std::vector<std::string>>(weights_->labels())),
        plans_(std::make_shared<PlanCache>(weights_)) {}

  [[nodiscard]] const Config& config() const { return weights_->config(); }
  /// Stays valid without the model.
  [[nodiscard]] std::shared_ptr<const std::vector<std::string>> labels() const { return labels_; }
  [[nodiscard]] const std::shared_ptr<PlanCache>& plans() const { return plans_; }

  /// Makes scores of a recognition's logits, and labels it. average: as HeadConfig::average_clips.
  void score(Recognition& recognition, const std::string& average) const;

 private:
  std::shared_ptr<const Weights> weights_;
  std::shared_ptr<const std::vector<std::string>> labels_;
  std::shared_ptr<PlanCache> plans_;
};

}  // namespace tpn
