#include "kernels/cpu/winograd_conv3d.h"

#include <algorithm>
#include <string>
#include <vector>

#include <omp.h>

#include "kernels/cpu/bf16_speed.h"
#include "kernels/cpu/contention.h"
#include "kernels/cpu/conv_form2d.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"

namespace tpn::cpu {
namespace {

using dnnl::memory;

/// Transformed inputs of some tiles, for all threads.
constexpr std::int64_t inputs_bytes = 16 << 20;
/// A thread's transformed weights and sums, which stay in its second-level cache.
constexpr std::int64_t weights_bytes = 384 << 10, sums_bytes = 420 << 10;
/// Blocks of rows that a thread multiplies at once at most: with few points their sums then stay in its
/// first-level cache.
constexpr std::int64_t most_blocks = 16;
/// Words of channels that are multiplied at once at most: their weights, for a panel and point, and a block's
/// inputs stay in the first-level cache.
constexpr std::int64_t most_depth = 256;

constexpr std::int64_t word_bytes = sizeof(float);

std::int64_t divided_up(std::int64_t count, std::int64_t by) {
  return (count + by - 1) / by;
}

/// A part of `count` in steps of `step`, such that parts of up to `most` are about equal.
std::int64_t equal_part(std::int64_t count, std::int64_t most, std::int64_t step) {
  const std::int64_t parts = divided_up(count, std::max(most, step));
  return divided_up(divided_up(count, parts), step) * step;
}

/// Null where the processor lacks the instructions.
const WinogradCode* code_for(WinogradAlgorithm algorithm, DType dtype, DType products) {
  if (products == DType::bf16) {
    return computes_with(dnnl::cpu_isa::avx512_core_bf16) ? &winograd_code_avx512_bf16(algorithm) : nullptr;
  }
  if (dtype == DType::bf16) {
    return computes_with(dnnl::cpu_isa::avx512_core) ? &winograd_code_avx512_widening(algorithm) : nullptr;
  }
  if (computes_with(dnnl::cpu_isa::avx512_core)) return &winograd_code_avx512(algorithm);
  if (computes_with(dnnl::cpu_isa::avx2)) return &winograd_code_avx2(algorithm);
  return nullptr;
}

WinogradLayer layer_of(const ConvForm2d& form, const WinogradCode& code) {
  return {.images = form.source[0],
          .height = form.source[2],
          .width = form.source[3],
          .channels = form.source[1],
          .out_height = form.target[2],
          .out_width = form.target[3],
          .outputs = form.target[1],
          .pad_height = form.padding[0],
          .pad_width = form.padding[1],
          .tiles_down = divided_up(form.target[2], code.tile_height),
          .tiles_across = divided_up(form.target[3], code.tile_width)};
}

ConvForm2d form_of(const ops::FusedConv3d& op, const Signature& s) {
  return conv_form2d(op.conv, s.inputs[0].shape, s.inputs[1].shape, s.outputs[0].shape);
}

class WinogradKernel final : public Kernel {
 public:
  WinogradKernel(const WinogradCode& code, const ops::FusedConv3d& op, const Signature& s)
      : code_(code),
        residual_(op.residual ? static_cast<int>(op.input_count()) - 1 : -1),
        relu_(op.relu),
        threads_(omp_get_max_threads()) {
    const ConvForm2d form = form_of(op, s);
    layer_ = layer_of(form, code);
    zeros_.resize(static_cast<std::size_t>(layer_.channels));

    const std::int64_t panel = code.outputs_per_panel, panels = layer_.outputs / panel;
    const std::int64_t all = divided_up(layer_.rows(), code.rows_per_block);
    blocks_ = equal_part(all, inputs_bytes / block_inputs(), 1);
    const std::int64_t tasks_wanted = divided_up(2 * threads_, panels);  // along the rows
    task_blocks_ = equal_part(
        blocks_, std::min({sums_bytes / block_sums(), most_blocks, divided_up(blocks_, tasks_wanted)}), 1);
    const std::int64_t most_words = std::min(most_depth, weights_bytes / (code.points * panel * word_bytes));
    depth_ = equal_part(layer_.channels, most_words * code.channels_per_word, code.channels_per_slice());

    const memory::dim in = layer_.channels, taps = code.taps;
    const memory::dims shape{panels, panel, in, taps};
    const memory::dims& stored = form.weight.strides;
    const memory::desc weight(shape, onednn_type(s.outputs[0].dtype),
                              memory::dims{in * taps * panel, 1, taps * panel, panel});
    const memory::desc source(shape, memory::data_type::f32,
                              memory::dims{panel * stored[0], stored[0], stored[1], 1});
    panel_bytes_ = weight.get_size() / static_cast<std::size_t>(panels);
    if (op.norm) bias_offset_ = padded(weight.get_size());
    packing_ = weight_packing(op, s, "panels at " + std::to_string(form.weight_offset), weight,
                              {{source, form.weight_offset, weight}}, 1 << 0 | 1 << 1);
  }

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return {&packing_, 1};
  }
  [[nodiscard]] int in_place_input() const override { return residual_; }
  [[nodiscard]] std::string implementation() const override { return code_.name; }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    return padded(static_cast<std::size_t>(blocks_ * block_inputs())) +
           static_cast<std::size_t>(threads_) * thread_bytes();
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream&) const override {
    const std::byte* residual = residual_ < 0 ? nullptr : inputs[static_cast<std::size_t>(residual_)].data;
    const WinogradEpilogue epilogue{
        bias_offset_ == 0 ? nullptr : reinterpret_cast<const float*>(packed[0] + bias_offset_), residual,
        relu_};
    for (std::int64_t first = 0; first < layer_.rows(); first += blocks_ * code_.rows_per_block) {
      const std::int64_t rows = std::min(layer_.rows() - first, blocks_ * code_.rows_per_block);
      auto* v = reinterpret_cast<float*>(scratch);
      parallel_for(divided_up(rows, code_.rows_per_block), 1, [&](std::int64_t begin, std::int64_t end) {
        code_.transform_inputs(layer_, inputs[0].data, zeros_.data(), first, begin, end, blocks_, v);
      });
      multiply(first, rows, packed[0], v, scratch, epilogue, outputs[0].data);
    }
    notice_contention();
  }

 private:
  /// Of transformed inputs and of sums, for one block of rows; bytes.
  [[nodiscard]] std::int64_t block_inputs() const {
    return code_.points * code_.words(layer_.channels) * code_.rows_per_block * word_bytes;
  }
  [[nodiscard]] std::int64_t block_sums() const {
    return code_.points * code_.outputs_per_panel * code_.rows_per_block * word_bytes;
  }
  [[nodiscard]] std::size_t u_bytes() const {
    return padded(
        static_cast<std::size_t>(code_.points * code_.words(depth_) * code_.outputs_per_panel * word_bytes));
  }
  [[nodiscard]] std::size_t thread_bytes() const {
    return u_bytes() + padded(static_cast<std::size_t>(task_blocks_ * block_sums()));
  }

  void multiply(std::int64_t first, std::int64_t rows, const std::byte* weights, const float* v,
                std::byte* scratch, const WinogradEpilogue& epilogue, std::byte* y) const {
    std::byte* own = scratch + padded(static_cast<std::size_t>(blocks_ * block_inputs()));
    const std::int64_t chunk = task_blocks_ * code_.rows_per_block, chunks = divided_up(rows, chunk),
                       tasks = layer_.outputs / code_.outputs_per_panel * chunks;
    parallel_for(threads_, 1, [&](std::int64_t first_part, std::int64_t last_part) {
      for (std::int64_t part = first_part; part < last_part; ++part) {
        std::byte* room = own + static_cast<std::size_t>(part) * thread_bytes();
        auto* u = reinterpret_cast<float*>(room);
        auto* sums = reinterpret_cast<float*>(room + u_bytes());
        std::int64_t transformed = -1;  // the panel that u has all channels of
        for (std::int64_t task = tasks * part / threads_; task < tasks * (part + 1) / threads_; ++task) {
          const std::int64_t panel = task / chunks, begin = task % chunks * chunk,
                             end = std::min(rows, begin + chunk);
          multiply_task(panel, begin, end, weights, v, panel == transformed, u, sums);
          if (depth_ >= layer_.channels) transformed = panel;
          code_.finish(layer_, sums, first + begin, first + end, task_blocks_, panel, epilogue, y);
        }
      }
    });
  }

  /// The sums of rows [begin, end) of v, for a panel.
  void multiply_task(std::int64_t panel, std::int64_t begin, std::int64_t end, const std::byte* weights,
                     const float* v, bool is_transformed, float* u, float* sums) const {
    const std::int64_t rows = code_.rows_per_block, outputs = code_.outputs_per_panel,
                       last = divided_up(end, rows);
    const std::byte* weight = weights + static_cast<std::size_t>(panel) * panel_bytes_;
    const std::int64_t all_words = code_.words(layer_.channels);
    for (std::int64_t channel = 0; channel < layer_.channels; channel += depth_) {
      const std::int64_t count = std::min(depth_, layer_.channels - channel);
      if (!is_transformed) {
        code_.transform_weights(weight + panel_bytes_ * static_cast<std::size_t>(channel) /
                                             static_cast<std::size_t>(layer_.channels),
                                count, u);
      }
      const std::int64_t words = code_.words(count);
      for (std::int64_t point = 0; point < code_.points; ++point) {
        for (std::int64_t block = begin / rows; block < last; ++block) {
          const float* from = v + ((point * blocks_ + block) * all_words + code_.words(channel)) * rows;
          const float* next = block + 1 < last ? from + all_words * rows : from;
          code_.multiply(from, u + point * words * outputs,
                         sums + (point * task_blocks_ + block - begin / rows) * rows * outputs, words,
                         channel > 0, next);
        }
      }
    }
  }

  const WinogradCode& code_;
  int residual_;  ///< the input that is added, -1 for none
  bool relu_;
  std::int64_t threads_;
  WinogradLayer layer_{};
  std::vector<float> zeros_;      ///< channels of what is outside of an image
  std::int64_t blocks_ = 0;       ///< of rows whose inputs are transformed at once
  std::int64_t task_blocks_ = 0;  ///< of rows that a thread multiplies at once
  std::int64_t depth_ = 0;        ///< channels whose weights are transformed at once
  std::size_t panel_bytes_ = 0;   ///< of weights
  std::size_t bias_offset_ = 0;   ///< into the packed form; 0: no bias
  std::shared_ptr<const Packing> packing_;
};

}  // namespace

DType winograd_products(DType dtype) {
  return dtype == DType::bf16 && gains_by_bf16() ? DType::bf16 : DType::f32;
}

std::optional<WinogradAlgorithm> find_winograd(const ops::FusedConv3d& op, const Signature& s,
                                               DType products) {
  const ops::Extent3 kernel = ops::Conv3d::kernel(s.inputs[1].shape), &stride = op.conv.stride,
                     &padding = op.conv.padding;
  const DType dtype = s.outputs[0].dtype;
  constexpr ops::Extent3 one{1, 1, 1}, halving{1, 2, 2};
  const bool single_frame = s.inputs[0].shape[1] == 1 && s.outputs[0].shape[1] == 1;
  std::optional<WinogradAlgorithm> found;
  if (kernel == ops::Extent3{3, 1, 1} && stride == one && padding[1] == 0 && padding[2] == 0) {
    if (!single_frame) found = WinogradAlgorithm::over_time;
  } else if (kernel == ops::Extent3{1, 3, 3} && padding[0] == 0) {
    if (stride == one) found = WinogradAlgorithm::over_space;
    if (stride == halving) found = WinogradAlgorithm::over_space_halving;
  } else if (kernel == one && padding == ops::Extent3{0, 0, 0} && dtype == DType::bf16) {
    if (stride == one) found = WinogradAlgorithm::product;
    if (stride == halving) found = WinogradAlgorithm::product_halving;
  }
  const WinogradCode* code = found ? code_for(*found, dtype, products) : nullptr;
  const bool fits = code != nullptr && op.conv.groups == 1 &&
                    s.inputs[0].shape[4] % code->channels_per_slice() == 0 &&
                    s.outputs[0].shape[4] % code->outputs_per_panel == 0;
  return fits ? found : std::nullopt;
}

bool pays(WinogradAlgorithm algorithm, const ops::FusedConv3d& op, const Signature& s, DType products) {
  const DType dtype = s.outputs[0].dtype;
  if (dtype != products) return true;  // oneDNN would have to convert all tensors
  // AMX multiplies so much faster than vectors that transforms would take longer than what they save.
  if (products == DType::bf16 && computes_with(dnnl::cpu_isa::avx512_core_amx)) return false;
  const WinogradCode& code = *code_for(algorithm, dtype, products);
  const WinogradLayer layer = layer_of(form_of(op, s), code);
  const std::int64_t blocks = divided_up(layer.rows(), code.rows_per_block),
                     reduced = code.points * blocks * code.rows_per_block,
                     direct = code.taps * layer.images * layer.out_height * layer.out_width;
  // Transforms are a part of the work that shrinks with the channels that share them, and what is saved has
  // to be more: of the 30 % that halving saves little is left with fewer than 512 channels.
  const std::int64_t least = algorithm == WinogradAlgorithm::over_space_halving ? 512 : 64;
  constexpr std::int64_t small = 50'000'000;  // multiplications, which take less than a millisecond
  return std::min(layer.channels, layer.outputs) >= least && 10 * direct >= 13 * reduced &&
         direct * layer.channels * layer.outputs >= small;
}

std::unique_ptr<Kernel> compile_winograd(WinogradAlgorithm algorithm, const ops::FusedConv3d& op,
                                         const Signature& signature, DType products) {
  return std::make_unique<WinogradKernel>(*code_for(algorithm, signature.outputs[0].dtype, products), op,
                                          signature);
}

}  // namespace tpn::cpu
