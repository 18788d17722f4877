#include "engine/recognize/prepared_views.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>
#include <vector>

#include "engine/networks/network.h"
#include "engine/recognize/finite.h"
#include "engine/recognize/recognition_dump.h"
#include "kernels/channel_order.h"
#include "kernels/convert.h"
#include "kernels/memory.h"
#include "kernels/stopwatch.h"

namespace tpn {
namespace {

/// Views [first, first + batch.shape[0]) as the network reads them.
void fill_batch(const ViewReader& views, int first, TensorView batch) {
  TensorView view{batch.data, batch.dtype, batch.shape};
  view.shape[0] = 1;
  for (int i = 0; i < batch.shape[0]; ++i) {
    const std::vector<float> values = channels_last(views.read(first + i), view.shape);
    convert(reinterpret_cast<const std::byte*>(values.data()), DType::f32, view.data, view.dtype,
            values.size());
    view.data += view.bytes();
  }
}

}  // namespace

void check_views(const std::string& name, const ConstTensorView& tensor) {
  const Shape& shape = tensor.shape;
  if (shape.rank() != 5 || shape[1] != 3 || shape.count() == 0 ||
      shape[0] > std::numeric_limits<int>::max()) {
    throw Error(name + ": views must have shape (views, 3, T, H, W); these have " + to_string(shape) + ".");
  }
  require_finite_views(name, tensor);
}

Recognition classify_views(const std::string& name, const ConstTensorView& tensor, const ModelState& model,
                           const std::string& average, const PlanOptions& plan, DeviceExecutors& device,
                           int batch, TensorDumpWriter* dump, bool embeddings) {
  const Stopwatch total;
  const auto views = static_cast<int>(tensor.shape[0]);
  const ViewReader reader = views_of(tensor);
  const BatchClassifier classifier(model.config(), plan);
  Recognition recognition;
  recognition.input = name;
  recognition.clips = views;
  recognition.crops = 1;
  HostBuffer buffer;
  for (int first = 0; first < views; first += batch) {
    const int count = std::min(batch, views - first);
    const Shape& s = reader.shape;
    TensorView input{nullptr, plan.storage(), {count, s[1], s[2], s[3], 3}};
    if (buffer.bytes() < input.bytes()) buffer = HostBuffer(input.bytes());
    input.data = buffer.data();
    fill_batch(reader, first, input);
    BatchResult result = classifier.classify(device, read_only(input));
    std::ranges::copy(result.logits, std::back_inserter(recognition.logits));
    recognition.timings.inference += result.inference_ms;
    std::ranges::move(result.warnings, std::back_inserter(recognition.warnings));
    if (embeddings) {
      std::ranges::copy(result.feature(plan, pooled_feature).values,
                        std::back_inserter(recognition.embeddings));
    }
    if (dump == nullptr) continue;
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), first);
    dump->record(numbers, result.features);
  }
  model.score(recognition, average);
  if (const auto fault = fault_of_logits(name, recognition.logits, recognition.scores.size())) {
    throw Error(fault->message);
  }
  recognition.timings.total = total.ms();
  if (dump != nullptr) write_dump(*dump, recognition, reader);
  return recognition;
}

}  // namespace tpn
