// Which kernels run the gradient of a convolution with respect to x, and how they are started.
#include "kernels/cuda/conv3d_data_gradient.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/conv_data_gradient_form.h"
#include "kernels/cuda/conv_gap_zeros.h"
#include "kernels/cuda/conv_product.h"
#include "kernels/cuda/conv_weights.h"
#include "kernels/cuda/fused_conv3d.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/packing.h"

namespace tpn::cuda {
namespace {

/// The gradient of given shapes. Its operands: dy, weight; dx.
struct DataGradient {
  DataGradient(const ops::Conv3dDataGradient& op, const Signature& s)
      : forward(conv_form(op.conv, {s.outputs[0], s.inputs[1], s.inputs[0]}, s.tf32)),
        dx(activation_layout(op.name, s.outputs[0])),
        weights(s.inputs[1].shape.count()) {}

  /// Bytes of dy and dx.
  [[nodiscard]] std::int64_t activation_bytes() const {
    const std::int64_t element = element_bytes(forward.type);
    return element * forward.sizes.rows * forward.sizes.channels +
           dx.bytes(static_cast<std::size_t>(element));
  }

  ConvForm forward;  ///< of the convolution itself
  ActivationLayout dx;
  std::int64_t weights;
};

/// What all ways of making the products of a gradient share.
struct Products {
  Products(const DataGradient& gradient, const Signature& signature)
      : forms(data_gradient_products(gradient.forward)), device(conv_device(gradient.forward.type)) {
    for (const ProductForm& product : forms) {
      tables.emplace_back(product);
      packings.push_back(product_packing(product, signature));
    }
  }

  [[nodiscard]] bool run_by(const ConvVariant& variant) const {
    return !forms.empty() && std::ranges::all_of(forms, [&](const ProductForm& product) {
      return runs(product.form, variant.tile, device);
    });
  }

  std::vector<ProductForm> forms;
  std::vector<DepthTables> tables;
  std::vector<std::shared_ptr<const Packing>> packings;
  ConvDevice device;
};

/// A way for each product, by the same variant.
struct Choice {
  std::vector<ConvChoice> products;

  [[nodiscard]] double clocks() const {
    double sum = 0;
    for (const ConvChoice& product : products) sum += product.clocks;
    return sum;
  }
};

/// Every product in a launch of its own, perhaps in splits: a phase of a strided convolution has the tiles of
/// a layer, and the next one's blocks fill the machine when the last of it end.
class ProductsKernel final : public Kernel {
 public:
  ProductsKernel(const DataGradient& gradient, const Products& products, const Choice& choice)
      : gradient_(gradient), packings_(products.packings) {
    std::string splits;
    for (std::size_t i = 0; i < products.forms.size(); ++i) {
      const ConvChoice& its = choice.products[i];
      products_.emplace_back(products.forms[i].form, products.tables[i], its);
      splits += (i > 0 ? "+" : "") + std::to_string(its.schedule.splits);
    }
    name_ = product_name(gradient.forward.type, choice.products.front().variant.tile, splits);
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    if (has_gaps(gradient_.forward)) {
      enqueue_gap_zeros(gradient_.forward, gradient_.dx, outputs[0], stream_of(stream));
    }
    for (std::size_t i = 0; i < products_.size(); ++i) {
      ConvProblem operands;
      operands.x = inputs[0].data;
      operands.weights = packed[i];
      operands.y = outputs[0].data;
      products_[i].run(operands, scratch, stream_of(stream));
    }
  }

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return packings_;
  }
  /// One product's at a time.
  [[nodiscard]] std::size_t scratch_bytes() const override {
    std::size_t most = 0;
    for (const ConvProduct& product : products_) most = std::max(most, product.scratch_bytes());
    return most;
  }
  [[nodiscard]] std::string implementation() const override { return name_; }

  [[nodiscard]] KernelWork work() const override {
    KernelWork work{.bytes = gradient_.activation_bytes()};
    for (std::size_t i = 0; i < products_.size(); ++i) {
      work.bytes += static_cast<std::int64_t>(packings_[i]->bytes() + 2 * products_[i].scratch_bytes());
      work.multiply_adds += products_[i].multiply_adds();
    }
    return work;
  }

 private:
  DataGradient gradient_;
  std::vector<ConvProduct> products_;
  std::vector<std::shared_ptr<const Packing>> packings_;
  std::string name_;
};

/// The ways of making the products: with each variant all whole, and in splits where that should be faster;
/// the fastest first, as far as the estimate can tell.
std::vector<Choice> choices_of(const Products& products, ConvType type) {
  std::vector<Choice> all;
  for (const ConvVariant& variant : conv_variants(type)) {
    if (!products.run_by(variant)) continue;
    Choice whole, split;
    for (const ProductForm& product : products.forms) {
      const std::vector<ConvChoice> its = choices_of(product.form, variant, products.device);
      whole.products.push_back(its.front());
      split.products.push_back(its.back());
    }
    const bool differ = split.clocks() < whole.clocks();
    all.push_back(std::move(whole));
    if (differ) all.push_back(std::move(split));
  }
  std::ranges::stable_sort(all, {}, &Choice::clocks);
  return all;
}

/// The kernels that make products, the best guess first, at most `count`.
std::vector<std::unique_ptr<Kernel>> products_of(const DataGradient& gradient, const Signature& signature,
                                                 std::size_t count) {
  std::vector<std::unique_ptr<Kernel>> kernels;
  const Products products(gradient, signature);
  for (const Choice& choice : choices_of(products, gradient.forward.type)) {
    if (kernels.size() == count) break;
    kernels.push_back(std::make_unique<ProductsKernel>(gradient, products, choice));
  }
  return kernels;
}

std::unique_ptr<Kernel> plain(const DataGradient& gradient, const Signature& signature) {
  const ConvForm& form = gradient.forward;
  const int pixels = gradient.dx.pixels();
  const auto weights = channels_last_packing(signature, 1, form.type);
  const LaunchShape shape{
      .grid = dim3(blocks_for(pixels, plain_rows), blocks_for(gradient.dx.padded_channels(), plain_channels)),
      .block = dim3(conv_threads)};
  const KernelDescription description{
      .implementation = std::string("plain_conv3d_data_gradient (") + name_of(form.type) + ")",
      .work = {.bytes = gradient.activation_bytes() + static_cast<std::int64_t>(weights->bytes()),
               .multiply_adds = form.sizes.rows * gradient.weights},
      .packings = {weights}};
  return launch_kernel(description, [=](auto in, auto out, auto packed, cudaStream_t stream) {
    ConvGradientProblem problem{.sizes = form.sizes};
    problem.dy = in[0].data;
    problem.weights = packed[0];
    problem.dx = out[0].data;
    launch("plain_conv3d_data_gradient", conv_plain_data_gradient(form.type), shape, stream, problem, pixels);
  });
}

}  // namespace

std::unique_ptr<Kernel> compile_product(const ops::Conv3dDataGradient& op, const Signature& signature,
                                        const ConvVariant& variant, int splits) {
  const DataGradient gradient(op, signature);
  const Products products(gradient, signature);
  if (!products.run_by(variant)) return nullptr;
  Choice choice;
  for (const ProductForm& product : products.forms) {
    choice.products.push_back(choose_schedule(product.form, variant, splits, products.device));
  }
  return std::make_unique<ProductsKernel>(gradient, products, choice);
}

std::unique_ptr<Kernel> compile_plain(const ops::Conv3dDataGradient& op, const Signature& signature) {
  return plain(DataGradient(op, signature), signature);
}

std::vector<std::unique_ptr<Kernel>> candidates(const ops::Conv3dDataGradient& op,
                                                const Signature& signature) {
  const DataGradient gradient(op, signature);
  std::vector<std::unique_ptr<Kernel>> all = products_of(gradient, signature, SIZE_MAX);
  all.push_back(plain(gradient, signature));
  return all;
}

std::unique_ptr<Kernel> compile_named(const ops::Conv3dDataGradient& op, const Signature& signature,
                                      std::string_view implementation) {
  for (std::unique_ptr<Kernel>& kernel : candidates(op, signature)) {
    if (kernel->implementation() == implementation) return std::move(kernel);
  }
  return nullptr;
}

std::unique_ptr<Kernel> compile(const ops::Conv3dDataGradient& op, const Signature& signature) {
  const DataGradient gradient(op, signature);
  std::vector<std::unique_ptr<Kernel>> best = products_of(gradient, signature, 1);
  if (best.empty()) return plain(gradient, signature);
  return std::move(best.front());
}

}  // namespace tpn::cuda
