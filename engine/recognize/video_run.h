// Videos on their way through pipeline and network, to their scores.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/devices/device_workers.h"
#include "engine/dump/tensor_dump.h"
#include "engine/recognize/batch_classifier.h"
#include "engine/recognize/model_state.h"
#include "engine/recognize/tpn.h"
#include "engine/recognize/view_pipeline.h"

namespace tpn {

/// A video that the network has seen.
struct ClassifiedVideo {
  Recognition recognition;                   ///< but for its input's name
  std::shared_ptr<const LoadedClips> clips;  ///< what the views came from
};

/// How a video ended.
struct VideoOutcome {
  std::size_t video = 0;  ///< number of the source
  Result<ClassifiedVideo> result;
};

/// Runs the network on the views of every source. While batches are with the devices, the next are prepared.
class VideoRun {
 public:
  struct Options {
    const ModelState* model = nullptr;
    const Config* config = nullptr;  ///< of the model, but for how views are taken and averaged
    PlanOptions plan;                ///< with the features of the dump, and pooled_feature for embeddings
    int batch = 1;                   ///< views
    TensorDumpWriter* dump = nullptr;
    bool embeddings = false;                                    ///< whether recognitions have them
    std::function<void(const Progress& progress)> on_progress;  ///< called by next()
  };

  /// Starts decoding. What the options point to, and the workers, stay until the run has ended. Throws Error
  /// when there can be no plan.
  VideoRun(std::vector<ClipSource> sources, DeviceWorkers& workers, Options options);
  VideoRun(const VideoRun&) = delete;
  VideoRun& operator=(const VideoRun&) = delete;
  /// Ends decoding, and waits for the batches that devices have.
  ~VideoRun();

  /// Waits until the next video, in the order of the sources, has ended. Nothing after the last. Throws Error
  /// when the dump cannot be written, and what on_progress throws.
  std::optional<VideoOutcome> next();

 private:
  struct RunningBatch {
    std::vector<int> views;
    std::future<Result<BatchResult>> result;
  };
  /// The video whose views are coming.
  struct Current {
    Recognition recognition;
    std::shared_ptr<const LoadedClips> clips;
    std::vector<std::string> warnings;  ///< of the devices
    std::optional<Failure> failure;     ///< of a batch; the rest need not be run
    int views_done = 0;
  };

  void start(ViewBatch batch);
  /// Takes the results of batches that are done, or waits for all.
  void settle(bool wait);
  void add(const std::vector<int>& views, const BatchResult& result);
  void report(std::size_t views);
  VideoOutcome finish(const VideoEnd& end);
  VideoOutcome finish(const VideoFailure& end);

  Options options_;
  BatchClassifier classifier_;
  DeviceWorkers& workers_;
  ViewPipeline pipeline_;
  std::size_t video_ = 0;
  Current current_;
  std::deque<RunningBatch> running_;  // of the current video, in their order
};

}  // namespace tpn
