// Names of precisions, and what they are on devices.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "kernels/precision.h"
#include "kernels/tensor.h"

namespace tpn {

/// "f32", "bf16", ...
std::string_view name_of(Precision precision);
/// Of all precisions.
std::vector<std::string> precision_names();
/// Throws Error when there is none of that name.
Precision precision_named(std::string_view name);

/// What activations and packed weights are stored as.
DType storage_type(Precision precision);

/// Whether a device computes in it.
bool supports(const Backend& backend, Precision precision);

}  // namespace tpn
