#include "engine/recognize/batch_classifier.h"

#include <algorithm>
#include <iterator>

#include "kernels/convert.h"
#include "kernels/stopwatch.h"

namespace tpn {
namespace {

/// Views [first, ...) of the batch, as many as the executor takes.
void fill_input(const ConstTensorView& batch, std::int64_t first, const Executor& network) {
  const TensorView input = network.input();
  const std::size_t view_bytes = input.bytes() / static_cast<std::size_t>(input.shape[0]);
  std::copy_n(batch.data + static_cast<std::size_t>(first) * view_bytes, input.bytes(), input.data);
}

void add_shortage(DeviceExecutors& device, std::int64_t views, BatchResult& result) {
  if (std::optional<std::string> warning = device.shortage(views)) {
    result.warnings.push_back(*std::move(warning));
  }
}

}  // namespace

const Feature& BatchResult::feature(const PlanOptions& options, std::string_view name) const {
  const auto place = std::ranges::find(options.features, name) - options.features.begin();
  return features.at(static_cast<std::size_t>(place));
}

InputSize BatchClassifier::input_size(std::size_t views) const {
  const std::int64_t side = config_.sampling.crop_size;
  return {static_cast<std::int64_t>(views), config_.view_frames(), side, side};
}

void BatchClassifier::prepare(DeviceExecutors& device, int views) const {
  (void)device.largest_fitting(input_size(static_cast<std::size_t>(views)), options_);
}

BatchResult BatchClassifier::classify(DeviceExecutors& device, const ViewBatch& batch) const {
  if (batch.uploads) return classify_uploaded(device, batch);
  const InputSize s = input_size(batch.views.size());
  return classify(device, {batch.data.data(), options_.storage(), {s.views, s.frames, s.height, s.width, 3}});
}

BatchResult BatchClassifier::classify(DeviceExecutors& device, const ConstTensorView& views) const {
  BatchResult result;
  const Shape& s = views.shape;
  for (std::int64_t first = 0; first < s[0];) {
    Executor& network = device.largest_fitting({s[0] - first, s[1], s[2], s[3]}, options_);
    fill_input(views, first, network);
    const Stopwatch inference;
    network.run();
    result.inference_ms += inference.ms();
    add_run(network, result);
    first += network.input().shape[0];
  }
  add_shortage(device, s[0], result);
  return result;
}

BatchResult BatchClassifier::classify_uploaded(DeviceExecutors& device, const ViewBatch& batch) const {
  BatchResult result;
  ViewMaker& maker = *device.view_maker();
  for (std::span<const int> left(batch.views); !left.empty();) {
    Executor& network = device.largest_fitting(input_size(left.size()), options_);
    const TensorView input = network.input();
    const auto views = left.first(static_cast<std::size_t>(input.shape[0]));
    const bool uploaded = batch.uploads->upload_views(maker, views);
    if (!uploaded) {
      result.warnings.push_back("The memory of the device '" + std::string(device.backend().name()) +
                                "' is not enough for the frames of a video, whose views the CPU made.");
      TensorView view{input.data, input.dtype, Shape(input.shape.extents().subspan(1))};
      for (const int number : views) {
        fill_view(*batch.clips, number, config_.sampling, view);
        view.data += view.bytes();
      }
    }
    const Stopwatch inference;
    if (uploaded) {
      batch.uploads->make_views(maker, views, config_.sampling, network.device_input(),
                                network.plan().input().stride(), network.stream());
      network.enqueue();
      network.stream().synchronize();
    } else {
      network.run();
    }
    result.inference_ms += inference.ms();
    add_run(network, result);
    left = left.subspan(views.size());
  }
  add_shortage(device, static_cast<std::int64_t>(batch.views.size()), result);
  return result;
}

void BatchClassifier::add_run(const Executor& network, BatchResult& result) const {
  std::ranges::copy(to_floats(network.result("logits")), std::back_inserter(result.logits));
  result.features.resize(options_.features.size());
  for (std::size_t i = 0; i < options_.features.size(); ++i) {
    Feature part = network.feature(options_.features[i]);
    Feature& whole = result.features[i];
    if (whole.values.empty()) {
      whole = std::move(part);
    } else {
      whole.shape[0] += part.shape[0];
      std::ranges::copy(part.values, std::back_inserter(whole.values));
    }
  }
}

}  // namespace tpn
