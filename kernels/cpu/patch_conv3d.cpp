#include "kernels/cpu/patch_conv3d.h"

#include <cstring>
#include <utility>
#include <vector>

#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"

namespace tpn::cpu {
namespace {

using dnnl::memory;

// What a core complex of today's servers has as last-level cache, of which weights should leave something.
constexpr std::int64_t cache_bytes = 32 << 20;

// Packed layouts block both dimensions by at most this: taps then begin at block borders.
constexpr std::int64_t most_block = 64;

/// The product of patches (pixels, kh*kw*I) with weights (kh*kw*I, O).
class PatchKernel final : public OnednnKernel {
 public:
  PatchKernel(const ops::FusedConv3d& op, const Signature& s)
      : OnednnKernel(op), conv_(op.conv), kernel_(ops::Conv3d::kernel(s.inputs[1].shape)) {
    const Shape& y = s.outputs[0].shape;
    const std::int64_t pixels = y[0] * y[1] * y[2] * y[3], out = y[4], in = s.inputs[0].shape[4],
                       taps = kernel_[1] * kernel_[2];
    const memory::data_type type = onednn_type(s.outputs[0].dtype);
    const memory::desc patches({pixels, taps * in}, type, memory::format_tag::ab);
    const memory::desc target({pixels, out}, type, memory::format_tag::ab);
    const memory::desc weight({taps * in, out}, type, memory::format_tag::any);
    memory::desc bias;
    if (op.norm) bias = {{1, out}, memory::data_type::f32, memory::format_tag::ab};
    adopt<dnnl::matmul>(propose_product(patches, weight, bias, target, epilogue(op), cpu_engine()));

    std::vector<PackPart> parts;  // tap by tap: (I,O) of the stored (O,I,1,kh,kw)
    parts.reserve(static_cast<std::size_t>(taps));
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      parts.push_back({memory::desc({in, out}, memory::data_type::f32, memory::dims{taps, in * taps}), tap,
                       weight_desc().submemory_desc({in, out}, {tap * in, 0})});
    }
    pack_as(op, s, "patches", std::move(parts), 1 << 1);
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream&) const override {
    gather(inputs[0], outputs[0].shape, scratch);
    execute(scratch, inputs, outputs[0], packed[0], scratch + patch_bytes());
  }

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return patch_bytes() + OnednnKernel::scratch_bytes();
  }
  [[nodiscard]] std::string implementation() const override {
    return "patches+" + OnednnKernel::implementation();
  }

 private:
  [[nodiscard]] std::size_t patch_bytes() const { return padded(source_desc().get_size()); }

  /// Row (n, t, h, w) of the patches: the channels under tap (0, 0), then (0, 1), and so on; zero outside the
  /// image.
  void gather(const ConstTensorView& x, const Shape& y, std::byte* patches) const {
    const auto cell = static_cast<std::size_t>(x.shape[4]) * size_of(x.dtype);
    const std::int64_t height = x.shape[2], width = x.shape[3];
    parallel_for(y[0] * y[1] * y[2], 1, [&](std::int64_t begin, std::int64_t end) {
      std::byte* to = patches + static_cast<std::size_t>(begin * y[3] * kernel_[1] * kernel_[2]) * cell;
      for (std::int64_t row = begin; row < end; ++row) {
        const std::byte* image = x.data + static_cast<std::size_t>(row / y[2] * height * width) * cell;
        for (std::int64_t w = 0; w < y[3]; ++w)
          for (std::int64_t a = 0; a < kernel_[1]; ++a)
            for (std::int64_t b = 0; b < kernel_[2]; ++b, to += cell) {
              const std::int64_t xh = row % y[2] * conv_.stride[1] + a - conv_.padding[1];
              const std::int64_t xw = w * conv_.stride[2] + b - conv_.padding[2];
              if (xh < 0 || xh >= height || xw < 0 || xw >= width) {
                std::memset(to, 0, cell);
              } else {
                std::memcpy(to, image + static_cast<std::size_t>(xh * width + xw) * cell, cell);
              }
            }
      }
    });
  }

  ops::Conv3d conv_;
  ops::Extent3 kernel_;
};

}  // namespace

bool prefers_patches(const ops::FusedConv3d& op, const Signature& s) {
  const Shape &x = s.inputs[0].shape, &weight = s.inputs[1].shape;
  const auto [kt, kh, kw] = ops::Conv3d::kernel(weight);
  const bool spatial = kt == 1 && op.conv.stride[0] == 1 && op.conv.padding[0] == 0 && kh * kw > 1;
  const bool whole_blocks = weight[0] % most_block == 0 && weight[1] % most_block == 0;
  const auto bytes = weight.count() * static_cast<std::int64_t>(size_of(s.outputs[0].dtype));
  return spatial && whole_blocks && op.conv.groups == 1 && x[0] * x[1] > 1 && bytes > cache_bytes;
}

std::unique_ptr<Kernel> compile_patches(const ops::FusedConv3d& op, const Signature& signature) {
  return std::make_unique<PatchKernel>(op, signature);
}

}  // namespace tpn::cpu
