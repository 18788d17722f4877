#include "kernels/cuda/conv_product.h"

#include <utility>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/memory.h"

namespace tpn::cuda {
namespace {

template <class Entry>
std::shared_ptr<const Buffer> upload(const std::vector<Entry>& table) {
  return upload_constant(table.data(), table.size() * sizeof(Entry));
}

}  // namespace

std::string product_name(ConvType type, const ConvTile& tile, const std::string& splits) {
  const std::int64_t elements = tile.depth_bytes / element_bytes(type);
  return "implicit_gemm_" + std::to_string(tile.rows) + "x" + std::to_string(tile.columns) + "x" +
         std::to_string(elements) + "_s" + std::to_string(tile.stages) + "_k" + splits + " (" +
         name_of(type) + (type == ConvType::f32 ? " fma)" : (tile.boxes ? " wgmma)" : " mma)"));
}

DepthTables::DepthTables(const ProductForm& product) : chunks(upload(chunk_table(product))) {
  if (takes_boxes(product.form)) steps = upload(step_table(product));
}

ConvProduct::ConvProduct(const ConvForm& form, DepthTables tables, const ConvChoice& choice)
    : form_(form),
      choice_(choice),
      tables_(std::move(tables)),
      name_(product_name(form.type, choice.variant.tile, std::to_string(choice.schedule.splits))) {
  const ConvTile& tile = choice.variant.tile;
  if (!tile.boxes) return;
  boxes_ = choose_boxes(form_.sizes, tile.rows);
  boxes_.steps = reinterpret_cast<const ConvStep*>(tables_.steps->data());
  weight_axes_ = weight_axes(form_.sizes, tile.columns);
  x_axes_ = x_axes(form_.sizes, boxes_);
}

void ConvProduct::run(const ConvProblem& operands, std::byte* scratch, cudaStream_t stream) const {
  const ConvSchedule& s = choice_.schedule;
  const auto& [tile, kernel, box_kernel] = choice_.variant;
  ConvProblem problem = operands;
  problem.sizes = form_.sizes;
  problem.schedule = s;
  problem.chunks = reinterpret_cast<const ConvChunk*>(tables_.chunks->data());
  problem.partial = reinterpret_cast<float*>(scratch);
  const LaunchShape shape{
      .grid = dim3(static_cast<unsigned>(s.row_tiles) * static_cast<unsigned>(s.column_tiles),
                   static_cast<unsigned>(form_.sizes.groups), static_cast<unsigned>(s.splits)),
      .block = dim3(static_cast<unsigned>(tile.threads)),
      .shared_bytes = static_cast<std::size_t>(tile.shared_bytes)};
  if (tile.boxes) {
    launch(name_.c_str(), box_kernel, shape, stream, encode_tensor_map(problem.x, form_.type, x_axes_),
           encode_tensor_map(problem.weights, form_.type, weight_axes_), problem, boxes_);
  } else {
    launch(name_.c_str(), kernel, shape, stream, problem);
  }
  if (s.splits == 1) return;
  const std::int64_t vectors =
      std::int64_t{form_.sizes.rows} * form_.sizes.channels / (16 / element_bytes(form_.type));
  launch("conv_split_sum", conv_split_sum(form_.type),
         {.grid = dim3(blocks_for(vectors, conv_threads)), .block = dim3(conv_threads)}, stream, problem);
}

std::int64_t ConvProduct::multiply_adds() const {
  const ConvSchedule& s = choice_.schedule;
  const ConvTile& tile = choice_.variant.tile;
  const std::int64_t depth = std::int64_t{s.steps} * tile.depth_bytes / element_bytes(form_.type);
  return std::int64_t{s.row_tiles} * tile.rows * s.column_tiles * tile.columns * form_.sizes.groups * depth;
}

}  // namespace tpn::cuda
