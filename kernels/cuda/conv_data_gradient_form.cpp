#include "kernels/cuda/conv_data_gradient_form.h"

#include <algorithm>
#include <utility>

namespace tpn::cuda {
namespace {

/// A phase of one direction.
struct Phase {
  int first = 0;      ///< its first position in dx
  int positions = 0;  ///< of dx
  int taps = 0;
  int last_tap = 0;  ///< of the weight; the others come `stride` before one another
  int padding = 0;
};

/// Those with taps and positions.
std::vector<Phase> phases_of(int in, int kernel, int stride, int padding) {
  std::vector<Phase> phases;
  for (int residue = 0; residue < std::min(stride, kernel); ++residue) {
    Phase phase;
    phase.first = ((residue - padding) % stride + stride) % stride;
    phase.positions = (in - phase.first + stride - 1) / stride;
    phase.taps = (kernel - residue + stride - 1) / stride;
    phase.last_tap = residue + (phase.taps - 1) * stride;
    phase.padding = phase.taps - 1 - (phase.first + padding - residue) / stride;
    if (phase.positions > 0) phases.push_back(phase);
  }
  return phases;
}

ConvForm phase_form(const ConvForm& forward, const Phase& t, const Phase& h, const Phase& w) {
  const ConvSizes& f = forward.sizes;
  const int views = f.rows / (f.out.t * f.out.h * f.out.w);
  ConvForm form = forward;
  ConvSizes& s = form.sizes;
  s.rows = views * t.positions * h.positions * w.positions;
  s.columns = f.group_channels;
  s.group_channels = f.columns;
  s.channels = (f.groups * f.group_channels + 7) / 8 * 8;
  s.in = f.out;
  s.out = {t.positions, h.positions, w.positions};
  s.out_t = Divider(s.out.t);
  s.out_h = Divider(s.out.h);
  s.out_w = Divider(s.out.w);
  s.kernel = {t.taps, h.taps, w.taps};
  s.stride = {1, 1, 1};
  s.padding = {t.padding, h.padding, w.padding};
  s.scatter = {.used = f.stride.t > 1 || f.stride.h > 1 || f.stride.w > 1,
               .first = {t.first, h.first, w.first},
               .step = f.stride,
               .extent = f.in};
  s.x_stride = f.y_stride;
  s.y_stride = f.x_stride;
  form.touched = f.rows;
  return form;
}

}  // namespace

std::vector<ProductForm> data_gradient_products(const ConvForm& forward) {
  const ConvSizes& f = forward.sizes;
  std::vector<ProductForm> products;
  for (const Phase& t : phases_of(f.in.t, f.kernel.t, f.stride.t, f.padding.t)) {
    for (const Phase& h : phases_of(f.in.h, f.kernel.h, f.stride.h, f.padding.h)) {
      for (const Phase& w : phases_of(f.in.w, f.kernel.w, f.stride.w, f.padding.w)) {
        const ConvForm form = phase_form(forward, t, h, w);
        if (!is_product(form)) return {};
        ProductForm product = product_form(form);
        product.transposed = true;
        for (DepthChunk& chunk : product.depth) {
          chunk.weight = {t.last_tap - chunk.tap.t * f.stride.t, h.last_tap - chunk.tap.h * f.stride.h,
                          w.last_tap - chunk.tap.w * f.stride.w};
        }
        products.push_back(std::move(product));
      }
    }
  }
  return products;
}

bool has_gaps(const ConvForm& forward) {
  const ConvSizes& f = forward.sizes;
  return f.stride.t > f.kernel.t || f.stride.h > f.kernel.h || f.stride.w > f.kernel.w;
}

}  // namespace tpn::cuda
