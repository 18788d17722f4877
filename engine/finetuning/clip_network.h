// Puts the clips of a list through a network up to its classifier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/data/training_loader.h"
#include "engine/exec/executor.h"
#include "engine/finetuning/batch_source.h"
#include "engine/model/weights.h"

namespace tpn {

/// How features are made of clips.
struct ClipWork {
  std::shared_ptr<const Backend> backend;
  Precision precision = Precision::f32;
  std::int64_t batch = 8;  ///< clips of a run of the network
  ClipOptions clips;
  int workers = 1;  ///< threads that decode
  BadSample bad_sample;
  std::function<bool()> stop;                                    ///< whether to give up: asked often
  std::function<void(std::size_t done, std::size_t of)> report;  ///< told of clips that are done
};

/// What was made of a batch.
struct ClipBatch {
  std::size_t taken = 0;          ///< positions of the loader's order that are done
  std::vector<LoadedClip> clips;  ///< of these, those that could be loaded
  std::vector<float> results;     ///< (C) for each clip, and what is left of earlier ones behind them
};

class ClipNetwork {
 public:
  /// weights: need not outlive it. Throws Error as Plan does.
  ClipNetwork(const Weights& weights, const ClipWork& work);

  /// Of the next clips that the loader has.
  ClipBatch run(TrainingLoader& loader);

 private:
  BadSample bad_sample_;
  Executor executor_;
};

}  // namespace tpn
