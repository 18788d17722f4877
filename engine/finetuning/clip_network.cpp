#include "engine/finetuning/clip_network.h"

#include "engine/networks/network.h"
#include "engine/plan/plan.h"

namespace tpn {
namespace {

std::shared_ptr<const Plan> make_plan(const Weights& weights, const ClipWork& work) {
  const Config& config = weights.config();
  const InputSize size{work.batch, config.view_frames(), work.clips.crop_size, work.clips.crop_size};
  return std::make_shared<const Plan>(build_pooled_network(config, size), work.backend, weights,
                                      PlanOptions{.precision = work.precision});
}

}  // namespace

ClipNetwork::ClipNetwork(const Weights& weights, const ClipWork& work)
    : bad_sample_(work.bad_sample), executor_(make_plan(weights, work)) {}

ClipBatch ClipNetwork::run(TrainingLoader& loader) {
  ClipBatch batch;
  try {
    batch.clips = loader.next(executor_.input());
  } catch (const SampleError& error) {
    bad_sample_(error);
    batch.taken = 1;  // the next call gives the others
    return batch;
  }
  batch.taken = batch.clips.size();
  executor_.run();  // rows without a clip have what they had: rows do not depend on each other
  batch.results = executor_.feature(pooled_feature).values;
  return batch;
}

}  // namespace tpn
