#include "engine/recognize/options.h"

#include <algorithm>
#include <string>

#include "kernels/error.h"

namespace tpn {
namespace {

DeviceKind kind_of(Device device) {
  switch (device) {
    case Device::automatic:
      return fastest_device();
    case Device::cpu:
      return DeviceKind::cpu;
    case Device::cuda:
      return DeviceKind::cuda;
  }
  throw Error("There is no such device.");
}

}  // namespace

std::vector<DeviceOptions> choose_devices(const RecognizerOptions& options) {
  const DeviceKind kind = kind_of(options.device);
  const std::vector<int> numbers = options.devices.empty() ? std::vector<int>{0} : options.devices;
  if (kind == DeviceKind::cpu && numbers != std::vector<int>{0}) {
    throw Error("The device cpu is one; only devices of cuda have numbers.");
  }
  std::vector<DeviceOptions> devices;
  for (const int number : numbers) {
    if (number < 0) throw Error("There is no device " + std::to_string(number) + ".");
    if (std::ranges::count(numbers, number) > 1) {
      throw Error("The device " + std::to_string(number) + " is given twice.");
    }
    devices.push_back({.kind = kind,
                       .number = number,
                       .threads = options.threads,
                       .libraries = options.libraries == Libraries::automatic});
  }
  return devices;
}

Config chosen_config(Config config, const RecognizerOptions& options) {
  if (options.short_side < 0 || options.crop_size < 0) throw Error("The side of a picture is negative.");
  SamplingConfig& sampling = config.sampling;
  if (options.short_side > 0) sampling.short_side = options.short_side;
  if (options.crop_size > 0) sampling.crop_size = options.crop_size;
  if (sampling.crop_size > sampling.short_side) {
    throw Error("Crops of " + std::to_string(sampling.crop_size) +
                " pixels do not fit into frames whose short side has " + std::to_string(sampling.short_side) +
                ".");
  }
  if (options.averaging == Averaging::probabilities) config.head.average_clips = "prob";
  if (options.averaging == Averaging::scores) config.head.average_clips = "score";
  return config;
}

ViewCounts view_counts(const SamplingConfig& sampling, const RecognizerOptions& options) {
  if (options.clips < 0 || options.crops < 0) throw Error("The number of clips or crops is negative.");
  SamplingConfig with_crops = sampling;  // the protocol's own crops may not fit other sides of pictures
  if (options.crops > 0) with_crops.crops = options.crops;
  // How many views there are depends on neither the length nor the size of a video.
  const auto counts_of = [&](const std::optional<ViewCounts>& counts) {
    const ViewPlan plan = plan_views(1, {sampling.short_side, sampling.short_side}, with_crops, counts);
    return ViewCounts{plan.clips, static_cast<int>(plan.crops.size())};
  };
  ViewCounts counts = counts_of(std::nullopt);
  if (options.clips > 0) counts.clips = options.clips;
  if (options.crops > 0) counts.crops = options.crops;
  return options.clips > 0 || options.crops > 0 ? counts_of(counts) : counts;
}

std::optional<ViewCounts> wanted_counts(const SamplingConfig& sampling, const RecognizerOptions& options) {
  if (options.clips == 0 && options.crops == 0) return std::nullopt;
  return view_counts(sampling, options);
}

DecodeOptions decode_options(const RecognizerOptions& options) {
  return {.accurate_color = options.accurate_color,
          .allow_urls = options.allow_urls,
          .frames = options.frames,
          .first_frame = options.first_frame,
          .max_pixels = options.max_pixels,
          .max_frames = options.max_frames,
          .max_seconds = options.max_seconds};
}

}  // namespace tpn
