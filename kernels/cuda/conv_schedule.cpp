#include "kernels/cuda/conv_schedule.h"

#include <algorithm>
#include <cmath>

#include "kernels/cuda/conv_boxes.h"
#include "kernels/cuda/launch.h"

namespace tpn::cuda {
namespace {

// Of one multiprocessor, per clock. Figures of an H100, near enough to those of an A100; they serve to put
// the variants in order where nothing is timed.
constexpr double l2_bytes = 32;
constexpr double dram_bytes = 20;
constexpr double shared_memory_bytes = 128;
constexpr double l2_latency = 700;     ///< clocks from a copy's start to its bytes, under load
constexpr double block_start = 1500;   ///< clocks until a block has its first step
constexpr double kernel_start = 3000;  ///< clocks from one kernel's end to the next one's work

constexpr int most_splits = 32;
constexpr int most_weight_splits = 4096;
constexpr int most_waves = 4;  ///< of blocks, that a weight's gradient is split into
constexpr std::int64_t most_weight_partial_bytes = std::int64_t{1} << 26;
constexpr std::int64_t most_split_sums = std::int64_t{1} << 30;
constexpr int least_split_steps = 4;  ///< fewer do not fill the ring of buffers

/// What the estimate has to know of a product besides its schedule.
struct CutProduct {
  ConvType type = ConvType::f32;
  int groups = 1;
  double bytes_per_sum = 0;  ///< written, and read for it, where the depth is whole
  double partial_bytes = 0;  ///< of all splits; 0: no kernel sums them
};

CutProduct cut(const ConvForm& form, const ConvSchedule& schedule) {
  return {form.type, form.sizes.groups,
          static_cast<double>(element_bytes(form.type)) * (form.residual ? 2 : 1),
          static_cast<double>(partial_bytes(form, schedule))};
}

CutProduct cut_weight_gradient(const ConvForm& form, const ConvSchedule& schedule) {
  return {form.type, form.sizes.groups, sizeof(float),
          static_cast<double>(weight_partial_bytes(form, schedule))};
}

/// Blocks of the tile that share a multiprocessor.
int blocks_at_once(const ConvTile& tile, const ConvDevice& device) {
  constexpr int reserved = 1024;  // bytes of shared memory that CUDA takes for each block
  return std::clamp(device.shared_bytes_per_multiprocessor / (tile.shared_bytes + reserved), 1,
                    tile.resident);
}

/// Clocks that the product takes, its splits' sum included.
double estimate(const CutProduct& product, const ConvTile& tile, const ConvSchedule& schedule,
                const ConvDevice& device) {
  const double depth = tile.depth_bytes / static_cast<double>(element_bytes(product.type));
  const double products = static_cast<double>(tile.rows) * tile.columns * depth;
  const double copied = (static_cast<double>(tile.rows) + tile.columns) * tile.depth_bytes;
  const double rate = tile.boxes ? device.warp_group_products_per_clock : device.products_per_clock;
  const double step = std::max({products / rate, copied / l2_bytes,
                                (products * tile.shared_bytes_per_product + copied) / shared_memory_bytes});
  const double sums = static_cast<double>(tile.rows) * tile.columns;
  const double epilogue = sums * (schedule.splits > 1 ? sizeof(float) : product.bytes_per_sum) / dram_bytes;
  const double shortest_step = l2_latency / (tile.stages - 1);

  // Blocks are dealt evenly; those that share a multiprocessor share its rates and hide each other's latency.
  const double blocks =
      static_cast<double>(schedule.row_tiles) * schedule.column_tiles * product.groups * schedule.splits;
  const auto dealt = static_cast<int>(std::min(std::ceil(blocks / device.multiprocessors), 1e9));
  const int resident = blocks_at_once(tile, device);
  const auto together = [&](int count) {
    if (count == 0) return 0.0;
    return block_start + schedule.split_steps * std::max(count * step, shortest_step) + count * epilogue;
  };
  const int rounds = dealt / resident;
  double clocks = kernel_start + rounds * together(resident) + together(dealt % resident);
  if (product.partial_bytes > 0) {
    clocks += kernel_start + product.partial_bytes / (l2_bytes * device.multiprocessors);
  }
  return clocks;
}

/// Blocks of the tile that the device has room for at once.
int wave_blocks(const ConvTile& tile, const ConvDevice& device) {
  return device.multiprocessors * blocks_at_once(tile, device);
}

/// The blocks that run at once should cover about a square of the result.
int band_of(int row_tiles, const ConvTile& tile, const ConvDevice& device) {
  const double band = std::sqrt(static_cast<double>(wave_blocks(tile, device)) * tile.columns / tile.rows);
  return std::clamp(static_cast<int>(std::lround(band)), 1, row_tiles);
}

void set_splits(ConvSchedule& schedule, int splits) {
  schedule.split_steps = tiles_of(schedule.steps, splits);
  schedule.splits = tiles_of(schedule.steps, schedule.split_steps);
}

/// The whole product in tiles; how it is split is left to in_splits().
ConvSchedule whole_schedule(const ConvForm& form, const ConvTile& tile, const ConvDevice& device) {
  const ConvSizes& s = form.sizes;
  ConvSchedule schedule;
  schedule.row_tiles = tile.boxes ? tile_count(choose_boxes(s, tile.rows)) : tiles_of(s.rows, tile.rows);
  schedule.column_tiles = tiles_of(s.columns, tile.columns);
  schedule.steps = tiles_of(s.chunks, tile.depth_bytes / 16);
  schedule.band = band_of(schedule.row_tiles, tile, device);
  return schedule;
}

/// schedule: of whole_schedule().
ConvChoice in_splits(const ConvForm& form, const ConvVariant& variant, ConvSchedule schedule, int splits,
                     const ConvDevice& device) {
  // Splits are for small results, which the kernel that sums them counts in an int.
  if (std::int64_t{form.sizes.rows} * form.sizes.channels > most_split_sums) splits = 1;
  set_splits(schedule, splits);
  return {variant, schedule, estimate(cut(form, schedule), variant.tile, schedule, device)};
}

/// The gradient of a weight in tiles; how it is split is left to in_splits().
ConvSchedule whole_weight_gradient(const ConvForm& form, const ConvTile& tile, const ConvDevice& device) {
  const ConvSizes& s = form.sizes;
  const auto element = static_cast<int>(element_bytes(form.type));
  ConvSchedule schedule;
  schedule.row_tiles = tiles_of(s.columns, tile.rows);
  schedule.column_tiles = tiles_of(s.chunks, tile.columns * element / 16);
  schedule.steps = tile.boxes ? tile_count(choose_boxes(s, weight_box_positions))
                              : tiles_of(s.rows, tile.depth_bytes / element);
  schedule.band = band_of(schedule.row_tiles, tile, device);
  return schedule;
}

/// schedule: of whole_weight_gradient().
WeightGradientChoice in_splits(const ConvForm& form, const WeightGradientVariant& variant,
                               ConvSchedule schedule, int splits, const ConvDevice& device) {
  set_splits(schedule, splits);
  // A thread sums an element, and reads so many splits at once.
  constexpr double read_at_once = 8;
  const double clocks = estimate(cut_weight_gradient(form, schedule), variant.tile, schedule, device) +
                        schedule.splits / read_at_once * l2_latency;
  return {variant, schedule, clocks};
}

}  // namespace

ConvDevice conv_device(ConvType type) {
  const int index = current_device();
  ConvDevice device;
  device.multiprocessors = device_attribute(cudaDevAttrMultiProcessorCount, index);
  device.shared_bytes_per_block = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, index);
  device.shared_bytes_per_multiprocessor =
      device_attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, index);
  const int major = device_attribute(cudaDevAttrComputeCapabilityMajor, index);
  const int minor = device_attribute(cudaDevAttrComputeCapabilityMinor, index);
  const bool server = (major == 8 && minor == 0) || major == 9 || major == 10;
  if (type == ConvType::f32) {
    device.products_per_clock = major == 8 && minor == 0 ? 64 : 128;
  } else {
    // Hopper's tensor cores give mma.sync about five eighths of what they give wgmma.
    const double half = major == 9 ? 1300 : (server ? 1024 : 512);
    device.products_per_clock = type == ConvType::tf32 ? half / 2 : half;
    if (type != ConvType::tf32 && major == 9 && minor == 0) device.warp_group_products_per_clock = 2048;
  }
  return device;
}

std::int64_t partial_bytes(const ConvForm& form, const ConvSchedule& schedule) {
  if (schedule.splits == 1) return 0;
  return std::int64_t{schedule.splits} * form.sizes.rows * form.sizes.channels *
         static_cast<std::int64_t>(sizeof(float));
}

std::int64_t weight_partial_bytes(const ConvForm& form, const ConvSchedule& schedule) {
  const ConvSizes& s = form.sizes;
  return std::int64_t{schedule.splits} * s.groups * s.columns * s.row_elements *
         static_cast<std::int64_t>(sizeof(float));
}

bool runs(const ConvForm& form, const ConvTile& tile, const ConvDevice& device) {
  if (tile.boxes && (device.warp_group_products_per_clock == 0 || !takes_boxes(form))) return false;
  return tile.shared_bytes <= device.shared_bytes_per_block;
}

ConvChoice choose_schedule(const ConvForm& form, const ConvVariant& variant, int splits,
                           const ConvDevice& device) {
  return in_splits(form, variant, whole_schedule(form, variant.tile, device), splits, device);
}

std::vector<ConvChoice> choices_of(const ConvForm& form, const ConvVariant& variant,
                                   const ConvDevice& device) {
  const ConvSchedule schedule = whole_schedule(form, variant.tile, device);
  std::vector<ConvChoice> choices{in_splits(form, variant, schedule, 1, device)};
  ConvChoice best = choices.front();
  for (int splits = 2; splits <= most_splits; ++splits) {
    const ConvChoice choice = in_splits(form, variant, schedule, splits, device);
    if (choice.schedule.split_steps < least_split_steps) break;
    if (choice.clocks < best.clocks) best = choice;
  }
  if (best.schedule.splits > 1) choices.push_back(best);
  return choices;
}

std::vector<ConvChoice> conv_choices(const ConvForm& form, std::span<const ConvVariant> variants,
                                     const ConvDevice& device) {
  std::vector<ConvChoice> choices;
  for (const ConvVariant& variant : variants) {
    if (!runs(form, variant.tile, device)) continue;
    const std::vector<ConvChoice> its = choices_of(form, variant, device);
    choices.insert(choices.end(), its.begin(), its.end());
  }
  std::stable_sort(choices.begin(), choices.end(),
                   [](const ConvChoice& a, const ConvChoice& b) { return a.clocks < b.clocks; });
  return choices;
}

bool runs(const ConvForm& form, const WeightGradientVariant& variant, const ConvDevice& device) {
  return runs(form, variant.tile, device);
}

WeightGradientChoice choose_schedule(const ConvForm& form, const WeightGradientVariant& variant, int splits,
                                     const ConvDevice& device) {
  return in_splits(form, variant, whole_weight_gradient(form, variant.tile, device),
                   std::min(splits, most_weight_splits), device);
}

// Only the most splits that fit in so many waves of blocks are worth a look: fewer leave multiprocessors
// idle.
std::vector<WeightGradientChoice> weight_gradient_choices(const ConvForm& form,
                                                          std::span<const WeightGradientVariant> variants,
                                                          const ConvDevice& device) {
  std::vector<WeightGradientChoice> choices;
  for (const WeightGradientVariant& variant : variants) {
    if (!runs(form, variant, device)) continue;
    const ConvSchedule whole = whole_weight_gradient(form, variant.tile, device);
    const std::int64_t tiles = std::int64_t{whole.row_tiles} * whole.column_tiles * form.sizes.groups;
    WeightGradientChoice best = in_splits(form, variant, whole, 1, device);
    for (int waves = 1; waves <= most_waves; ++waves) {
      const std::int64_t blocks = std::int64_t{waves} * wave_blocks(variant.tile, device);
      const int splits = static_cast<int>(std::clamp<std::int64_t>(blocks / tiles, 1, most_weight_splits));
      const WeightGradientChoice choice = in_splits(form, variant, whole, splits, device);
      if (weight_partial_bytes(form, choice.schedule) > most_weight_partial_bytes) break;
      if (choice.clocks < best.clocks) best = choice;
    }
    choices.push_back(best);
  }
  std::ranges::stable_sort(choices, {}, &WeightGradientChoice::clocks);
  return choices;
}

}  // namespace tpn::cuda
