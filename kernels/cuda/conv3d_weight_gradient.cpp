// Which kernels run the gradient of a convolution with respect to its weight, and how they are started.
#include "kernels/cuda/conv3d_weight_gradient.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/conv_product.h"
#include "kernels/cuda/conv_schedule.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/memory.h"

namespace tpn::cuda {
namespace {

/// The gradient of given shapes. Its operands: x, dy; dweight.
struct WeightGradient {
  WeightGradient(const ops::Conv3dWeightGradient& op, const Signature& s)
      : forward(conv_form(op.conv, {s.inputs[0], s.outputs[0], s.inputs[1]}, s.tf32)),
        weight(s.outputs[0].shape) {}

  /// Bytes of x that are read, of dy and of dweight.
  [[nodiscard]] std::int64_t bytes() const {
    const ConvSizes& s = forward.sizes;
    const std::int64_t channels = (std::int64_t{s.groups} * s.group_channels + 7) / 8 * 8;
    return element_bytes(forward.type) * (forward.touched * channels + std::int64_t{s.rows} * s.channels) +
           weight.count() * static_cast<std::int64_t>(sizeof(float));
  }

  ConvForm forward;  ///< of the convolution itself
  Shape weight;
};

/// Whether the gradient can be a matrix product: what the convolution gathers for its own product it gathers
/// here, from positions that are told by their pixel of x, and with rows of dy as they lie in a step.
bool is_weight_product(const WeightGradient& gradient) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  constexpr std::int64_t most_step_positions = 64;
  const ConvSizes& s = gradient.forward.sizes;
  const std::int64_t frames = std::int64_t{s.rows} / (std::int64_t{s.out.h} * s.out.w) / s.out.t * s.in.t;
  const std::int64_t pixels = (frames + s.kernel.t + s.padding.t) *
                              (std::int64_t{s.in.h} + s.kernel.h + s.padding.h) *
                              (std::int64_t{s.in.w} + s.kernel.w + s.padding.w);
  return is_product(gradient.forward) && pixels <= most &&
         most_step_positions * s.y_stride * element_bytes(gradient.forward.type) <= most &&
         gradient.weight.count() <= most - conv_threads;
}

/// For each element of a row (group_channels, taps) of the weight: where it lies in the depth of the
/// convolution's product.
std::vector<std::int32_t> places_of(const ProductForm& product) {
  const ConvSizes& s = product.form.sizes;
  const int taps = s.kernel.t * s.kernel.h * s.kernel.w;
  const auto chunk = static_cast<int>(16 / element_bytes(product.form.type));
  std::vector<std::int32_t> places(static_cast<std::size_t>(s.group_channels) *
                                   static_cast<std::size_t>(taps));
  for (std::size_t i = 0; i < product.depth.size(); ++i) {
    const DepthChunk& part = product.depth[i];
    const int tap = (part.weight.t * s.kernel.h + part.weight.h) * s.kernel.w + part.weight.w;
    for (int channel = part.begin; channel < part.end; ++channel) {
      places[static_cast<std::size_t>(channel) * static_cast<std::size_t>(taps) +
             static_cast<std::size_t>(tap)] = static_cast<int>(i) * chunk + channel - part.channel;
    }
  }
  return places;
}

/// What all ways of making the product share.
struct WeightGradientProduct {
  explicit WeightGradientProduct(const WeightGradient& gradient)
      : WeightGradientProduct(gradient, product_form(gradient.forward)) {}

  ConvForm form;
  DepthTables tables;
  std::shared_ptr<const Buffer> places;

 private:
  WeightGradientProduct(const WeightGradient&, const ProductForm& product)
      : form(product.form), tables(product) {
    const std::vector<std::int32_t> table = places_of(product);
    places = upload_constant(table.data(), table.size() * sizeof(std::int32_t));
  }
};

/// The gradient as a matrix product whose splits a second kernel sums.
class WeightGradientKernel final : public Kernel {
 public:
  WeightGradientKernel(const WeightGradient& gradient, const WeightGradientProduct& product,
                       const WeightGradientChoice& choice)
      : gradient_(gradient),
        product_(product),
        choice_(choice),
        name_(product_name(product.form.type, choice.variant.tile, std::to_string(choice.schedule.splits))) {
    problem_.sizes = product.form.sizes;
    problem_.schedule = choice.schedule;
    problem_.chunks = reinterpret_cast<const ConvChunk*>(product.tables.chunks->data());
    problem_.places = reinterpret_cast<const std::int32_t*>(product.places->data());
    problem_.weight_row = Divider(static_cast<int>(gradient.weight.count() / gradient.weight[0]));
    if (!choice.variant.tile.boxes) return;
    boxes_ = choose_boxes(problem_.sizes, weight_box_positions);
    boxes_.steps = reinterpret_cast<const ConvStep*>(product.tables.steps->data());
    x_axes_ = x_axes(problem_.sizes, boxes_);
    y_axes_ = y_axes(problem_.sizes, boxes_);
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const>, std::byte* scratch, Stream& stream) const override {
    WeightGradientProblem problem = problem_;
    problem.x = inputs[0].data;
    problem.dy = inputs[1].data;
    problem.partial = reinterpret_cast<float*>(scratch);
    problem.dweight = elements<float>(outputs[0]);
    const auto& [tile, kernel, box_kernel] = choice_.variant;
    const ConvSchedule& s = choice_.schedule;
    const LaunchShape shape{
        .grid = dim3(static_cast<unsigned>(s.row_tiles) * static_cast<unsigned>(s.column_tiles),
                     static_cast<unsigned>(problem.sizes.groups), static_cast<unsigned>(s.splits)),
        .block = dim3(static_cast<unsigned>(tile.threads)),
        .shared_bytes = static_cast<std::size_t>(tile.shared_bytes)};
    if (tile.boxes) {
      launch(name_.c_str(), box_kernel, shape, stream_of(stream),
             encode_tensor_map(problem.dy, product_.form.type, y_axes_),
             encode_tensor_map(problem.x, product_.form.type, x_axes_), problem, boxes_);
    } else {
      launch(name_.c_str(), kernel, shape, stream_of(stream), problem);
    }
    launch("weight_gradient_sum", weight_gradient_sum(),
           {.grid = dim3(blocks_for(gradient_.weight.count(), conv_threads)), .block = dim3(conv_threads)},
           stream_of(stream), problem);
  }

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return static_cast<std::size_t>(weight_partial_bytes(product_.form, choice_.schedule));
  }
  [[nodiscard]] std::string implementation() const override { return name_; }

  [[nodiscard]] KernelWork work() const override {
    const ConvSchedule& s = choice_.schedule;
    const ConvTile& tile = choice_.variant.tile;
    const std::int64_t positions =
        std::int64_t{s.steps} * tile.depth_bytes / element_bytes(product_.form.type);
    return {gradient_.bytes() + 2 * static_cast<std::int64_t>(scratch_bytes()),
            std::int64_t{s.row_tiles} * tile.rows * s.column_tiles * tile.columns *
                product_.form.sizes.groups * positions};
  }

 private:
  WeightGradient gradient_;
  WeightGradientProduct product_;
  WeightGradientChoice choice_;
  std::string name_;
  WeightGradientProblem problem_;
  // For a variant that fetches boxes.
  ConvBoxes boxes_;
  TensorAxes x_axes_, y_axes_;
};

/// The kernels that make the product, the best guess first, at most `count`.
std::vector<std::unique_ptr<Kernel>> products_of(const WeightGradient& gradient, std::size_t count) {
  std::vector<std::unique_ptr<Kernel>> kernels;
  if (!is_weight_product(gradient)) return kernels;
  const WeightGradientProduct product(gradient);
  const ConvType type = product.form.type;
  for (const WeightGradientChoice& choice :
       weight_gradient_choices(product.form, weight_gradient_variants(type), conv_device(type))) {
    if (kernels.size() == count) break;
    kernels.push_back(std::make_unique<WeightGradientKernel>(gradient, product, choice));
  }
  return kernels;
}

std::unique_ptr<Kernel> plain(const WeightGradient& gradient) {
  const ConvForm& form = gradient.forward;
  const Shape& weight = gradient.weight;
  const LaunchShape shape{
      .grid = dim3(blocks_for(weight.count() / weight[1], plain_rows), blocks_for(weight[1], plain_channels)),
      .block = dim3(conv_threads)};
  const KernelDescription description{
      .implementation = std::string("plain_conv3d_weight_gradient (") + name_of(form.type) + ")",
      .work = {.bytes = gradient.bytes(), .multiply_adds = form.sizes.rows * weight.count()}};
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    ConvGradientProblem problem{.sizes = form.sizes};
    problem.x = in[0].data;
    problem.dy = in[1].data;
    problem.dweight = elements<float>(out[0]);
    launch("plain_conv3d_weight_gradient", conv_plain_weight_gradient(form.type), shape, stream, problem);
  });
}

}  // namespace

std::vector<WeightGradientVariant> weight_gradient_variants(ConvType type) {
  std::vector<WeightGradientVariant> all;
  const auto add = [&](std::span<const WeightGradientVariant> variants) {
    all.insert(all.end(), variants.begin(), variants.end());
  };
  switch (type) {
    case ConvType::f32:
      add(weight_gradient_variants_f32());
      break;
    case ConvType::tf32:
      add(weight_gradient_variants_tf32());
      break;
    case ConvType::f16:
      add(weight_gradient_variants_f16());
#ifdef TPN_HAS_WGMMA
      add(weight_gradient_box_variants_f16());
#endif
      break;
    case ConvType::bf16:
      add(weight_gradient_variants_bf16());
#ifdef TPN_HAS_WGMMA
      add(weight_gradient_box_variants_bf16());
#endif
      break;
  }
  return all;
}

std::unique_ptr<Kernel> compile_product(const ops::Conv3dWeightGradient& op, const Signature& signature,
                                        const WeightGradientVariant& variant, int splits) {
  const WeightGradient gradient(op, signature);
  if (!is_weight_product(gradient)) return nullptr;
  const WeightGradientProduct product(gradient);
  const ConvDevice device = conv_device(product.form.type);
  if (!runs(product.form, variant, device)) return nullptr;
  return std::make_unique<WeightGradientKernel>(gradient, product,
                                                choose_schedule(product.form, variant, splits, device));
}

std::unique_ptr<Kernel> compile_plain(const ops::Conv3dWeightGradient& op, const Signature& signature) {
  return plain(WeightGradient(op, signature));
}

std::vector<std::unique_ptr<Kernel>> candidates(const ops::Conv3dWeightGradient& op,
                                                const Signature& signature) {
  const WeightGradient gradient(op, signature);
  std::vector<std::unique_ptr<Kernel>> all = products_of(gradient, SIZE_MAX);
  all.push_back(plain(gradient));
  return all;
}

std::unique_ptr<Kernel> compile_named(const ops::Conv3dWeightGradient& op, const Signature& signature,
                                      std::string_view implementation) {
  for (std::unique_ptr<Kernel>& kernel : candidates(op, signature)) {
    if (kernel->implementation() == implementation) return std::move(kernel);
  }
  return nullptr;
}

std::unique_ptr<Kernel> compile(const ops::Conv3dWeightGradient& op, const Signature& signature) {
  const WeightGradient gradient(op, signature);
  std::vector<std::unique_ptr<Kernel>> best = products_of(gradient, 1);
  if (best.empty()) return plain(gradient);
  return std::move(best.front());
}

}  // namespace tpn::cuda
