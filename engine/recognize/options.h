// From the options of a Recognizer to those of the layers below.
#pragma once

#include <optional>
#include <vector>

#include "engine/devices/device.h"
#include "engine/model/config.h"
#include "engine/recognize/tpn.h"
#include "engine/video/video_source.h"
#include "engine/video/view_plan.h"

namespace tpn {

/// The devices that a recogniser works with, one or more. Throws Error for a number that is negative or given
/// twice, and for several devices where there can be only one.
std::vector<DeviceOptions> choose_devices(const RecognizerOptions& options);

/// The model's configuration with the options' sides of pictures and average. Throws Error for sides that no
/// views have.
Config chosen_config(Config config, const RecognizerOptions& options);

/// Views of a video: those of the model's protocol for what is not asked for. Throws Error for numbers that
/// the model cannot have.
ViewCounts view_counts(const SamplingConfig& sampling, const RecognizerOptions& options);
/// Those that take the place of the protocol's; nothing for the protocol itself, which need not be
/// expressible in numbers.
std::optional<ViewCounts> wanted_counts(const SamplingConfig& sampling, const RecognizerOptions& options);

DecodeOptions decode_options(const RecognizerOptions& options);

}  // namespace tpn
