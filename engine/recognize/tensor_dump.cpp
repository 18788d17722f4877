#include "engine/recognize/tensor_dump.h"

#include <array>
#include <cstdint>
#include <utility>

#include "engine/model/safetensors.h"
#include "engine/recognize/network_runner.h"
#include "engine/recognize/view_layout.h"

namespace tpn {
namespace {

using Sink = std::function<void(std::span<const std::byte>)>;

template <class T>
SafetensorsOutput output_of(std::string name, DType dtype, const Shape& shape, const std::vector<T>& values) {
  return {std::move(name), dtype, shape,
          [&values](const Sink& sink) { sink(std::as_bytes(std::span(values))); }};
}

Shape batch_shape(std::int64_t views, const Shape& view) {
  return {views, view[0], view[1], view[2], view[3]};
}

std::size_t bytes_of(const Shape& view) {
  return static_cast<std::size_t>(view.count()) * sizeof(float);
}

}  // namespace

TensorDumpWriter::TensorDumpWriter(const TensorDump& dump, const Config& config)
    : dump_(dump), file_(dump.path), flat_backbone_(config.backbone.dims == 2) {
  if (!dump_.features) return;
  features_ = feature_names(config);
  spill_.emplace(file_.folder());
}

void TensorDumpWriter::lay_out(const Executor& executor) {
  for (const std::string& name : features_) {
    const Shape s = executor.result(name).shape;  // (n, T, H, W, C)
    const bool per_frame = flat_backbone_ && (name == "stem" || name.starts_with("stage"));
    const Shape view = per_frame ? Shape{s[1], s[4], s[2], s[3]} : Shape{s[4], s[1], s[2], s[3]};
    recorded_.push_back({name, view, per_frame, record_bytes_});
    record_bytes_ += bytes_of(view);
  }
}

void TensorDumpWriter::record(const Executor& executor, std::span<const int> views) {
  if (recorded_.empty()) lay_out(executor);
  for (const Recorded& recorded : recorded_) {
    Feature feature = executor.feature(recorded.name);
    if (recorded.per_frame) feature = frames_as_batch(feature);
    const std::span<const std::byte> bytes = std::as_bytes(std::span(feature.values));
    const std::size_t size = bytes_of(recorded.view);
    for (std::size_t i = 0; i < views.size(); ++i) {
      spill_->write(static_cast<std::size_t>(views[i]) * record_bytes_ + recorded.offset,
                    bytes.subspan(i * size, size));
    }
  }
}

void TensorDumpWriter::write(const Recognition& recognition, const ViewReader& input) {
  const int views = recognition.views();
  const auto classes = static_cast<std::int64_t>(recognition.scores.size());
  std::vector<SafetensorsOutput> tensors;
  if (!recognition.frame_indices.empty()) {
    const std::int64_t clips = recognition.clips;
    const Shape shape{clips, static_cast<std::int64_t>(recognition.frame_indices.size()) / clips};
    tensors.push_back(output_of("frame_indices", DType::i64, shape, recognition.frame_indices));
  }
  tensors.push_back({"input", DType::f32, batch_shape(views, input.shape), [&](const Sink& sink) {
                       for (int view = 0; view < views; ++view) {
                         const std::vector<float> values = input.read(view);
                         sink(std::as_bytes(std::span(values)));
                       }
                     }});
  for (const Recorded& recorded : recorded_) {
    const Shape& s = recorded.view;
    const Shape shape = recorded.per_frame ? Shape{views * s[0], s[1], s[2], s[3]} : batch_shape(views, s);
    tensors.push_back({recorded.name, DType::f32, shape, [&](const Sink& sink) {
                         std::vector<std::byte> bytes(bytes_of(recorded.view));
                         for (int view = 0; view < views; ++view) {
                           spill_->read(static_cast<std::size_t>(view) * record_bytes_ + recorded.offset,
                                        bytes);
                           sink(bytes);
                         }
                       }});
  }
  tensors.push_back(output_of("logits", DType::f32, {views, classes}, recognition.logits));
  tensors.push_back(output_of("scores", DType::f32, {classes}, recognition.scores));
  write_safetensors(file_, {}, tensors);
}

}  // namespace tpn
