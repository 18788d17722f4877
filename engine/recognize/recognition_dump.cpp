#include "engine/recognize/recognition_dump.h"

#include "kernels/channel_order.h"
#include "kernels/convert.h"

namespace tpn {

ViewReader views_of(std::shared_ptr<const LoadedClips> clips, const SamplingConfig& sampling) {
  const ViewPlan& plan = clips->plan;
  const Shape shape{1, plan.view_frames, plan.crop_size, plan.crop_size, 3};
  return {{3, shape[1], shape[2], shape[3]}, [clips = std::move(clips), sampling, shape](int view) {
            std::vector<float> values(static_cast<std::size_t>(shape.count()));
            fill_view(
                *clips, view, sampling,
                {reinterpret_cast<std::byte*>(values.data()), DType::f32, Shape(shape.extents().subspan(1))});
            return channels_first(values, shape);
          }};
}

ViewReader views_of(const ConstTensorView& tensor) {
  const Shape view(tensor.shape.extents().subspan(1));
  return {view, [tensor, view](int i) {
            const std::size_t bytes = static_cast<std::size_t>(view.count()) * size_of(tensor.dtype);
            return to_floats({tensor.data + static_cast<std::size_t>(i) * bytes, tensor.dtype, view});
          }};
}

void write_dump(TensorDumpWriter& writer, const Recognition& recognition, const ViewReader& views) {
  writer.write({.views = recognition.views(),
                .clips = recognition.clips,
                .frame_indices = recognition.frame_indices,
                .logits = recognition.logits,
                .scores = recognition.scores},
               views);
}

}  // namespace tpn
