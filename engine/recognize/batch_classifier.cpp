#include "engine/recognize/batch_classifier.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "engine/recognize/view_layout.h"
#include "engine/video/stopwatch.h"

namespace tpn {
namespace {

/// The rows of a tensor (n, K) of floats into rows `views` of the logits.
void take_logits(const Executor& executor, std::span<const int> views, std::vector<float>& logits) {
  const ConstTensorView rows = executor.result("logits");
  const auto classes = static_cast<std::size_t>(rows.shape[1]);
  for (std::size_t i = 0; i < views.size(); ++i) {
    std::copy_n(elements<float>(rows) + i * classes, classes,
                logits.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(views[i]) * classes));
  }
}

/// Views [first, first + the executor's) of the batch.
void fill_input(const ViewBatch& batch, int first, const Executor& network) {
  const TensorView input = network.input();
  const std::size_t view_bytes = input.bytes() / static_cast<std::size_t>(input.shape[0]);
  std::copy_n(batch.data.data() + static_cast<std::size_t>(first) * view_bytes, input.bytes(), input.data);
}

}  // namespace

std::vector<std::string> features_of(const TensorDumpWriter* dump) {
  return dump != nullptr ? dump->features() : std::vector<std::string>();
}

InputSize BatchClassifier::input_size(int views) const {
  const std::int64_t side = config_.sampling.crop_size;
  return {views, config_.view_frames(), side, side};
}

BatchReport BatchClassifier::classify(NetworkRunner& runner, const ViewBatch& batch, TensorDumpWriter* dump,
                                      std::vector<float>& logits) {
  std::vector<std::string> warnings;
  const auto fill = [&](Executor& network, int first) -> Executor::WriteInput {
    if (batch.uploads) return fill_on_device(runner, batch, first, network, warnings);
    fill_input(batch, first, network);
    return {};
  };
  BatchReport report =
      run(runner, input_size(static_cast<int>(batch.views.size())), batch.views, fill, dump, logits);
  std::ranges::move(warnings, std::back_inserter(report.warnings));
  return report;
}

BatchReport BatchClassifier::classify(NetworkRunner& runner, const ViewReader& input, int first, int count,
                                      TensorDumpWriter* dump, std::vector<float>& logits) {
  std::vector<int> views(static_cast<std::size_t>(count));
  std::iota(views.begin(), views.end(), first);
  const auto fill = [&](Executor& network, int offset) -> Executor::WriteInput {
    std::vector<float> values;
    for (int view = 0; view < network.input().shape[0]; ++view) {
      const std::vector<float> one = input.read(first + offset + view);
      values.insert(values.end(), one.begin(), one.end());
    }
    to_network_layout(values, network.input());
    return {};
  };
  const Shape& s = input.shape;
  return run(runner, {count, s[1], s[2], s[3]}, views, fill, dump, logits);
}

BatchReport BatchClassifier::run(NetworkRunner& runner, const InputSize& size, std::span<const int> views,
                                 const Fill& fill, TensorDumpWriter* dump, std::vector<float>& logits) {
  BatchReport report;
  const std::string warning =
      runner.run(size, features_of(dump), [&](Executor& network, int first, int count) {
        const Executor::WriteInput write = fill(network, first);
        const Stopwatch inference;
        write ? network.run(write) : network.run();
        report.inference_ms += inference.ms();
        const std::span<const int> numbers =
            views.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
        take_logits(network, numbers, logits);
        if (dump == nullptr) return;
        const std::lock_guard lock(dump_mutex_);
        dump->record(network, numbers);
      });
  if (!warning.empty()) report.warnings.push_back(warning);
  return report;
}

/// Where the device has no room for the frames of the views, they are made here.
Executor::WriteInput BatchClassifier::fill_on_device(const NetworkRunner& runner, const ViewBatch& batch,
                                                     int first, const Executor& network,
                                                     std::vector<std::string>& warnings) const {
  ViewMaker& maker = *runner.view_maker();
  const Slot& slot = network.plan().input();
  const std::span<const int> views =
      std::span(batch.views)
          .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(slot.shape[0]));
  if (batch.uploads->upload_views(maker, views)) {
    return [this, &batch, &maker, views, stride = slot.stride()](const TensorView& out, Stream& stream) {
      batch.uploads->make_views(maker, views, config_.sampling, out, stride, stream);
    };
  }
  warnings.push_back("The memory of the device '" + std::string(runner.backend().name()) +
                     "' is not enough for the frames of a video, whose views the CPU made.");
  TensorView view = network.input();
  view.shape = Shape(view.shape.extents().subspan(1));
  for (const int number : views) {
    fill_view(*batch.clips, number, config_.sampling, view);
    view.data += view.bytes();
  }
  return {};
}

}  // namespace tpn
