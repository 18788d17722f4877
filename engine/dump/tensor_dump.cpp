#include "engine/dump/tensor_dump.h"

#include <utility>

#include "engine/model/safetensors.h"
#include "engine/networks/network.h"
#include "kernels/channel_order.h"

namespace tpn {
namespace {

using Sink = std::function<void(std::span<const std::byte>)>;

template <class T>
SafetensorsOutput output_of(std::string name, DType dtype, const Shape& shape, std::span<const T> values) {
  return {std::move(name), dtype, shape, [values](const Sink& sink) { sink(std::as_bytes(values)); }};
}

Shape batch_shape(std::int64_t views, const Shape& view) {
  return {views, view[0], view[1], view[2], view[3]};
}

std::size_t bytes_of(const Shape& view) {
  return static_cast<std::size_t>(view.count()) * sizeof(float);
}

}  // namespace

TensorDumpWriter::TensorDumpWriter(const std::filesystem::path& path, bool with_features,
                                   const Config& config)
    : file_(path), flat_backbone_(config.backbone.dims == 2) {
  if (!with_features) return;
  features_ = feature_names(config);
  spill_.emplace(file_.folder());
}

void TensorDumpWriter::lay_out(std::span<const Feature> features) {
  for (std::size_t i = 0; i < features.size(); ++i) {
    const std::string& name = features_[i];
    const Shape& s = features[i].shape;  // (n, C, T, H, W)
    const bool per_frame = flat_backbone_ && (name == "stem" || name.starts_with("stage"));
    const Shape view = per_frame ? Shape{s[2], s[1], s[3], s[4]} : Shape{s[1], s[2], s[3], s[4]};
    recorded_.push_back({name, view, per_frame, record_bytes_});
    record_bytes_ += bytes_of(view);
  }
}

void TensorDumpWriter::record(std::span<const int> views, std::span<const Feature> features) {
  if (recorded_.empty()) lay_out(features.first(features_.size()));
  for (std::size_t f = 0; f < recorded_.size(); ++f) {
    const Recorded& recorded = recorded_[f];
    const Feature& feature = features[f];
    std::vector<float> by_frame;
    if (recorded.per_frame) by_frame = swap_axes(feature.values, feature.shape, 1);
    const std::span<const std::byte> bytes =
        std::as_bytes(std::span(recorded.per_frame ? by_frame : feature.values));
    const std::size_t size = bytes_of(recorded.view);
    for (std::size_t i = 0; i < views.size(); ++i) {
      spill_->write(static_cast<std::size_t>(views[i]) * record_bytes_ + recorded.offset,
                    bytes.subspan(i * size, size));
    }
  }
}

void TensorDumpWriter::write(const DumpedResults& results, const ViewReader& input) {
  const int views = results.views;
  const auto classes = static_cast<std::int64_t>(results.scores.size());
  std::vector<SafetensorsOutput> tensors;
  if (!results.frame_indices.empty()) {
    const std::int64_t clips = results.clips;
    const Shape shape{clips, static_cast<std::int64_t>(results.frame_indices.size()) / clips};
    tensors.push_back(output_of("frame_indices", DType::i64, shape, results.frame_indices));
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
  tensors.push_back(output_of("logits", DType::f32, {views, classes}, results.logits));
  tensors.push_back(output_of("scores", DType::f32, {classes}, results.scores));
  write_safetensors(file_, {}, tensors);
}

}  // namespace tpn
