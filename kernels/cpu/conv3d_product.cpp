#include "kernels/cpu/conv3d_product.h"

#include <algorithm>
#include <new>
#include <type_traits>
#include <vector>

#include "kernels/cpu/bf16_speed.h"
#include "kernels/cpu/contention.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/patch_conv3d.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

constexpr const char* product_name = "product";
constexpr int none_in_place = -1;

/// Room for patches, bytes: they stay in the caches between being gathered and being multiplied.
constexpr std::int64_t patch_bytes = 8 << 20;
/// Pixels that are multiplied at once at least, so that sums are not written and read again too often.
constexpr std::int64_t least_pixels = 512;

/// Row-major c (m,n) = a (m,k) * b (k,n), added to what is there with `add`; transposed operands are stored
/// so.
struct Product {
  bool transpose_a = false, transpose_b = false, add = false;

  void operator()(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b,
                  float* c) const {
    const auto letter = [](bool transposed) { return transposed ? 'T' : 'N'; };
    const dnnl::status status =
        dnnl::sgemm(letter(transpose_a), letter(transpose_b), m, n, k, 1, a, transpose_a ? m : k, b,
                    transpose_b ? k : n, add ? 1.0F : 0.0F, c, n);
    if (status != dnnl::status::success) throw std::bad_alloc();
  }
};

/// oneDNN makes the code of products when they first run, where nothing could be said for want of room.
void require_products() {
  require_room_for_code();
  const std::vector<float> ones(64, 1);
  std::vector<float> sums(64);
  for (const bool a : {false, true})
    for (const bool b : {false, true}) Product{a, b}(8, 8, 8, ones.data(), ones.data(), sums.data());
}

/// Element (channel i, tap k) of a row is at place i * taps + k, as in a row of the stored weight.
template <int Taps, class T>
TPN_VECTORIZE void interleave(const T* const* sources, std::int64_t channels, float* to) {
  for (std::int64_t i = 0; i < channels; ++i)
    for (int k = 0; k < Taps; ++k) to[i * Taps + k] = static_cast<float>(sources[k][i]);
}

template <class T>
void interleave(const std::vector<const T*>& sources, std::int64_t channels, float* to) {
  const auto taps = static_cast<std::int64_t>(sources.size());
  if (taps == 1) return interleave<1>(sources.data(), channels, to);
  if (taps == 3) return interleave<3>(sources.data(), channels, to);
  if (taps == 9) return interleave<9>(sources.data(), channels, to);
  for (std::int64_t k = 0; k < taps; ++k)
    for (std::int64_t i = 0; i < channels; ++i)
      to[i * taps + k] = static_cast<float>(sources[static_cast<std::size_t>(k)][i]);
}

/// A convolution without groups as products of patches (pixels, C * taps) of x with the stored weight
/// (O, C * taps).
class PatchForm {
 public:
  PatchForm(const ops::Conv3d& conv, const Shape& x, const Shape& weight, const Shape& y)
      : conv_(conv), kernel_(ops::Conv3d::kernel(weight)), x_(x), y_(y) {}

  [[nodiscard]] std::int64_t taps() const { return kernel_[0] * kernel_[1] * kernel_[2]; }
  [[nodiscard]] std::int64_t channels() const { return x_[4]; }
  [[nodiscard]] std::int64_t depth() const { return channels() * taps(); }
  [[nodiscard]] std::int64_t outputs() const { return y_[4]; }
  [[nodiscard]] std::int64_t pixels() const { return y_.count() / y_[4]; }
  /// Whether the patches are x as it lies there.
  [[nodiscard]] bool is_pointwise() const {
    return taps() == 1 && conv_.stride == ops::Extent3{1, 1, 1} && conv_.padding == ops::Extent3{0, 0, 0};
  }
  [[nodiscard]] bool is_strided() const { return conv_.stride != ops::Extent3{1, 1, 1}; }
  [[nodiscard]] bool is_temporal() const { return kernel_[0] > 1; }
  /// How many pixels' patches to gather at a time.
  [[nodiscard]] std::int64_t chunk() const {
    const std::int64_t fitting = patch_bytes / (depth() * static_cast<std::int64_t>(sizeof(float)));
    return std::min(pixels(), std::max(fitting, least_pixels));
  }

  /// The patches of pixels [first, last), zeros outside of x.
  template <class T>
  void gather(const T* x, std::int64_t first, std::int64_t last, float* to) const {
    parallel_for(last - first, elementwise_grain / depth() + 1, [&](std::int64_t begin, std::int64_t end) {
      const std::vector<T> zeros(static_cast<std::size_t>(channels()));
      std::vector<const T*> sources(static_cast<std::size_t>(taps()));
      for (std::int64_t pixel = first + begin; pixel < first + end; ++pixel) {
        std::size_t tap = 0;
        const std::int64_t n = pixel / y_[3] / y_[2] / y_[1], t = pixel / y_[3] / y_[2] % y_[1],
                           h = pixel / y_[3] % y_[2], w = pixel % y_[3];
        for (std::int64_t a = 0; a < kernel_[0]; ++a)
          for (std::int64_t b = 0; b < kernel_[1]; ++b)
            for (std::int64_t c = 0; c < kernel_[2]; ++c) {
              const std::int64_t at = t * conv_.stride[0] + a - conv_.padding[0],
                                 ah = h * conv_.stride[1] + b - conv_.padding[1],
                                 aw = w * conv_.stride[2] + c - conv_.padding[2];
              const bool inside = at >= 0 && at < x_[1] && ah >= 0 && ah < x_[2] && aw >= 0 && aw < x_[3];
              sources[tap++] =
                  inside ? x + (((n * x_[1] + at) * x_[2] + ah) * x_[3] + aw) * channels() : zeros.data();
            }
        interleave(sources, channels(), to + (pixel - first) * depth());
      }
    });
  }

 private:
  ops::Conv3d conv_;
  ops::Extent3 kernel_;
  Shape x_, y_;
};

/// dweight (O, C * taps) = transposed dy (pixels, O) * patches, chunk by chunk.
template <class T>
std::unique_ptr<Kernel> weight_gradient(const PatchForm& form) {
  constexpr bool converts = !std::is_same_v<T, float>;
  const bool in_place = form.is_pointwise() && !converts;  // x and dy are multiplied where they lie
  const std::int64_t chunk = in_place ? form.pixels() : form.chunk();
  const std::int64_t patches = in_place ? 0 : chunk * form.depth(),
                     rows = converts ? chunk * form.outputs() : 0;
  const std::size_t patch_room = padded(static_cast<std::size_t>(patches) * sizeof(float));
  return scratch_kernel(
      patch_room + static_cast<std::size_t>(rows) * sizeof(float),
      [=](std::span<const ConstTensorView> in, std::span<const TensorView> out, std::byte* scratch) {
        const T *x = elements<T>(in[0]), *dy = elements<T>(in[1]);
        auto* gathered = reinterpret_cast<float*>(scratch);
        auto* converted = reinterpret_cast<float*>(scratch + patch_room);
        for (std::int64_t first = 0; first < form.pixels(); first += chunk) {
          const std::int64_t count = std::min(chunk, form.pixels() - first);
          const float *left = nullptr, *right = gathered;
          if constexpr (converts) {
            left = converted;
            const T* from = dy + first * form.outputs();
            parallel_for(count * form.outputs(), elementwise_grain,
                         [&](std::int64_t begin, std::int64_t end) {
                           const T* part = from + begin;
                           interleave<1>(&part, end - begin, converted + begin);
                         });
          } else {
            left = dy + first * form.outputs();
            if (in_place) right = x;
          }
          if (right == gathered) form.gather(x, first, first + count, gathered);
          Product{.transpose_a = true, .add = first > 0}(form.outputs(), form.depth(), count, left, right,
                                                         elements<float>(out[0]));
        }
        notice_contention();
      },
      none_in_place, product_name);
}

/// y (pixels, O) = patches * transposed weight (O, C * taps), chunk by chunk.
std::unique_ptr<Kernel> convolution(const PatchForm& form) {
  const std::int64_t chunk = form.chunk();
  return scratch_kernel(
      static_cast<std::size_t>(chunk * form.depth()) * sizeof(float),
      [=](std::span<const ConstTensorView> in, std::span<const TensorView> out, std::byte* scratch) {
        auto* patches = reinterpret_cast<float*>(scratch);
        for (std::int64_t first = 0; first < form.pixels(); first += chunk) {
          const std::int64_t count = std::min(chunk, form.pixels() - first);
          form.gather(elements<float>(in[0]), first, first + count, patches);
          Product{.transpose_b = true}(count, form.outputs(), form.depth(), patches, elements<float>(in[1]),
                                       elements<float>(out[0]) + first * form.outputs());
        }
        notice_contention();
      },
      none_in_place, product_name);
}

/// dx (pixels, C) = dy (pixels, O) * weight (O, C), of a pointwise convolution.
std::unique_ptr<Kernel> pointwise_data_gradient(const PatchForm& form) {
  return scratch_kernel(
      0,
      [=](std::span<const ConstTensorView> in, std::span<const TensorView> out, std::byte*) {
        Product{}(form.pixels(), form.depth(), form.outputs(), elements<float>(in[0]), elements<float>(in[1]),
                  elements<float>(out[0]));
        notice_contention();
      },
      none_in_place, product_name);
}

PatchForm form_of(const ops::Conv3d& op, const Signature& s) {
  return {op, s.inputs[0].shape, s.inputs[1].shape, s.outputs[0].shape};
}
PatchForm form_of(const ops::Conv3dDataGradient& op, const Signature& s) {
  return {op.conv, s.outputs[0].shape, s.inputs[1].shape, s.inputs[0].shape};
}
PatchForm form_of(const ops::Conv3dWeightGradient& op, const Signature& s) {
  return {op.conv, s.inputs[0].shape, s.outputs[0].shape, s.inputs[1].shape};
}

}  // namespace

std::unique_ptr<Kernel> make_product(const ops::Conv3d& op, const Signature& s) {
  require_products();
  return convolution(form_of(op, s));
}

std::unique_ptr<Kernel> make_product(const ops::Conv3dDataGradient& op, const Signature& s) {
  require_products();
  return pointwise_data_gradient(form_of(op, s));
}

std::unique_ptr<Kernel> make_product(const ops::Conv3dWeightGradient& op, const Signature& s) {
  require_products();
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) { return weight_gradient<T>(form_of(op, s)); });
}

// Beside a product over few pixels packing the largest weights would take as long.
std::unique_ptr<Kernel> compile_product(const ops::Conv3d& op, const Signature& s) {
  if (s.inputs[0].dtype != DType::f32 || !prefers_patches({.conv = op}, s)) return nullptr;
  return make_product(op, s);
}

std::unique_ptr<Kernel> compile_product(const ops::Conv3dDataGradient& op, const Signature& s) {
  if (s.inputs[0].dtype != DType::f32 || op.conv.groups != 1) return nullptr;
  if (!form_of(op, s).is_pointwise()) return nullptr;
  return make_product(op, s);
}

// oneDNN's own weight gradients reach a third to a half of a product's rate where frames are rows of the
// image or pixels are skipped, and bring what they computed into the stored order at the end.
std::unique_ptr<Kernel> compile_product(const ops::Conv3dWeightGradient& op, const Signature& s) {
  if (op.conv.groups != 1) return nullptr;
  if (s.inputs[0].dtype == DType::bf16) {
    if (gains_by_bf16()) return nullptr;
    return make_product(op, s);
  }
  constexpr std::int64_t few = 16;  // channels, under which patches are mostly overhead: the stem
  const PatchForm form = form_of(op, s);
  const bool is_slow = form.is_pointwise() || form.is_temporal() || form.is_strided();
  if (form.channels() < few || !is_slow) return nullptr;
  return make_product(op, s);
}

}  // namespace tpn::cpu
