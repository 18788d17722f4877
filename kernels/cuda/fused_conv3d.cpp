// Which kernels run a convolution, and how they are started.
#include "kernels/cuda/fused_conv3d.h"

#include <string>
#include <utility>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/conv_product.h"
#include "kernels/cuda/conv_weights.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packing.h"
#include "kernels/cuda/stream.h"

namespace tpn::cuda {
namespace {

/// The packed weights of a convolution, and its folded batch norm where it has one: the same for all kernels
/// that read the weights in this form.
std::vector<std::shared_ptr<const Packing>> conv_packings(std::shared_ptr<const Packing> weights,
                                                          const ops::FusedConv3d& op,
                                                          const Signature& signature) {
  std::vector<std::shared_ptr<const Packing>> packings{std::move(weights)};
  if (op.norm) packings.push_back(norm_packing(signature, 2, op.eps));
  return packings;
}

/// What all kernels of convolutions share: the problem but for the tensors of a run.
class ConvKernel : public Kernel {
 public:
  ConvKernel(const ops::FusedConv3d& op, const Signature& signature, const ConvForm& form,
             std::vector<std::shared_ptr<const Packing>> packings)
      : form_(form),
        packings_(std::move(packings)),
        residual_(op.residual ? static_cast<int>(signature.inputs.size()) - 1 : -1) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return packings_;
  }

  [[nodiscard]] int in_place_input() const override {
    return form_.sizes.one_frame_residual ? -1 : residual_;
  }

 protected:
  [[nodiscard]] ConvProblem bound(std::span<const ConstTensorView> inputs,
                                  std::span<const TensorView> outputs,
                                  std::span<const std::byte* const> packed) const {
    ConvProblem problem;
    problem.sizes = form_.sizes;
    problem.weights = packed[0];
    if (packings_.size() > 1) {
      const NormConstants norm = norm_constants(packed[1], *packings_[1]);
      problem.scale = norm.scale;
      problem.bias = norm.shift;
    }
    problem.x = inputs[0].data;
    if (residual_ >= 0) problem.residual = inputs[static_cast<std::size_t>(residual_)].data;
    problem.y = outputs[0].data;
    return problem;
  }

  /// Bytes of x that are read, of y and of the residual.
  [[nodiscard]] std::int64_t activation_bytes(std::int64_t channels) const {
    const ConvSizes& s = form_.sizes;
    const std::int64_t residual_rows = residual_ < 0 ? 0 : (s.one_frame_residual ? s.rows / s.out.t : s.rows);
    return element_bytes(form_.type) *
           (form_.touched * ((channels + 7) / 8 * 8) + (s.rows + residual_rows) * s.channels);
  }

  [[nodiscard]] std::int64_t weight_bytes() const {
    return static_cast<std::int64_t>(packings_.front()->bytes());
  }

  ConvForm form_;

 private:
  std::vector<std::shared_ptr<const Packing>> packings_;
  int residual_;
};

/// The convolution as a matrix product, perhaps in splits that a second kernel sums.
class ProductKernel final : public ConvKernel {
 public:
  ProductKernel(const ops::FusedConv3d& op, const Signature& signature, const ConvForm& form,
                std::vector<std::shared_ptr<const Packing>> packings, DepthTables tables,
                const ConvChoice& choice)
      : ConvKernel(op, signature, form, std::move(packings)), product_(form, std::move(tables), choice) {}

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    product_.run(bound(inputs, outputs, packed), scratch, stream_of(stream));
  }

  [[nodiscard]] std::size_t scratch_bytes() const override { return product_.scratch_bytes(); }
  [[nodiscard]] std::string implementation() const override { return product_.name(); }

  [[nodiscard]] KernelWork work() const override {
    return {activation_bytes(std::int64_t{form_.sizes.groups} * form_.sizes.group_channels) + weight_bytes() +
                2 * static_cast<std::int64_t>(product_.scratch_bytes()),
            product_.multiply_adds()};
  }

 private:
  ConvProduct product_;
};

std::string plain_name(const ConvForm& form) {
  return std::string("plain_conv3d (") + name_of(form.type) + ")";
}

class PlainKernel final : public ConvKernel {
 public:
  PlainKernel(const ops::FusedConv3d& op, const Signature& signature, const ConvForm& form)
      : ConvKernel(op, signature, form,
                   conv_packings(channels_last_packing(signature, 1, form.type), op, signature)) {}

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte*, Stream& stream) const override {
    const ConvSizes& s = form_.sizes;
    launch("plain_conv3d", conv_plain(form_.type),
           {.grid = dim3(blocks_for(s.rows, plain_rows), blocks_for(s.channels, plain_channels)),
            .block = dim3(conv_threads)},
           stream_of(stream), bound(inputs, outputs, packed), form_.shift_fold);
  }

  [[nodiscard]] std::string implementation() const override { return plain_name(form_); }

  [[nodiscard]] KernelWork work() const override {
    const ConvSizes& s = form_.sizes;
    const std::int64_t taps = std::int64_t{s.kernel.t} * s.kernel.h * s.kernel.w;
    return {activation_bytes(std::int64_t{s.groups} * s.group_channels) + weight_bytes(),
            std::int64_t{s.rows} * s.groups * s.columns * taps * s.group_channels};
  }
};

/// The matrix products that can run the convolution, the best guess first, at most `count`.
std::vector<std::unique_ptr<Kernel>> products(const ops::FusedConv3d& op, const Signature& signature,
                                              const ConvForm& form, std::size_t count) {
  std::vector<std::unique_ptr<Kernel>> kernels;
  if (!is_product(form)) return kernels;
  const ProductForm product = product_form(form);
  const DepthTables tables(product);
  const auto packings = conv_packings(product_packing(product, signature), op, signature);
  for (const ConvChoice& choice :
       conv_choices(product.form, conv_variants(form.type), conv_device(form.type))) {
    if (kernels.size() == count) break;
    kernels.push_back(std::make_unique<ProductKernel>(op, signature, product.form, packings, tables, choice));
  }
  return kernels;
}

}  // namespace

std::vector<ConvVariant> conv_variants(ConvType type) {
  std::vector<ConvVariant> all;
  const auto add = [&](std::span<const ConvVariant> variants) {
    all.insert(all.end(), variants.begin(), variants.end());
  };
  switch (type) {
    case ConvType::f32:
      add(conv_variants_f32());
      break;
    case ConvType::tf32:
      add(conv_variants_tf32());
      break;
    case ConvType::f16:
      add(conv_variants_f16());
#ifdef TPN_HAS_WGMMA
      add(conv_box_variants_f16());
#endif
      break;
    case ConvType::bf16:
      add(conv_variants_bf16());
#ifdef TPN_HAS_WGMMA
      add(conv_box_variants_bf16());
#endif
      break;
  }
  return all;
}

std::unique_ptr<Kernel> compile_product(const ops::FusedConv3d& op, const Signature& signature,
                                        const ConvVariant& variant, int splits) {
  const ConvForm form = conv_form(op, signature);
  if (!is_product(form)) {
    throw Error("A convolution of " + to_string(signature.inputs[0].shape) + " with a weight of " +
                to_string(signature.inputs[1].shape) + " cannot run as a matrix product.");
  }
  const ProductForm product = product_form(form);
  const ConvDevice device = conv_device(form.type);
  if (!runs(product.form, variant.tile, device)) {
    throw Error("A convolution of " + to_string(signature.inputs[0].shape) + " with a weight of " +
                to_string(signature.inputs[1].shape) + " cannot run by tiles of " +
                std::to_string(variant.tile.rows) + " x " + std::to_string(variant.tile.columns) +
                (variant.tile.boxes ? " by warp groups" : "") + " on this device.");
  }
  const ConvChoice choice = choose_schedule(product.form, variant, splits, device);
  return std::make_unique<ProductKernel>(op, signature, product.form,
                                         conv_packings(product_packing(product, signature), op, signature),
                                         DepthTables(product), choice);
}

std::unique_ptr<Kernel> compile_plain(const ops::FusedConv3d& op, const Signature& signature) {
  return std::make_unique<PlainKernel>(op, signature, conv_form(op, signature));
}

std::unique_ptr<Kernel> compile_named(const ops::FusedConv3d& op, const Signature& signature,
                                      std::string_view implementation) {
  const ConvForm form = conv_form(op, signature);
  for (std::unique_ptr<Kernel>& product : products(op, signature, form, SIZE_MAX)) {
    if (product->implementation() == implementation) return std::move(product);
  }
  return implementation == plain_name(form) ? compile_plain(op, signature) : nullptr;
}

std::unique_ptr<Kernel> compile(const ops::FusedConv3d& op, const Signature& signature) {
  std::vector<std::unique_ptr<Kernel>> best = products(op, signature, conv_form(op, signature), 1);
  if (best.empty()) return compile_plain(op, signature);
  return std::move(best.front());
}

std::vector<std::unique_ptr<Kernel>> candidates(const ops::FusedConv3d& op, const Signature& signature) {
  const ConvForm form = conv_form(op, signature);
  std::vector<std::unique_ptr<Kernel>> all = products(op, signature, form, SIZE_MAX);
  all.push_back(compile_plain(op, signature));
  return all;
}

std::unique_ptr<Kernel> compile(const ops::Conv3d& op, const Signature& signature) {
  return compile(ops::FusedConv3d{.conv = op}, signature);
}

std::vector<std::unique_ptr<Kernel>> candidates(const ops::Conv3d& op, const Signature& signature) {
  return candidates(ops::FusedConv3d{.conv = op}, signature);
}

}  // namespace tpn::cuda
