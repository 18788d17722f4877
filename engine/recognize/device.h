// The devices that plans can run on: the one place where a backend is chosen.
#pragma once

#include <memory>

#include "engine/recognize/tpn.h"
#include "kernels/backend.h"

namespace tpn {

/// threads: how many a CPU may use; 0: all. Throws Error when this build or machine does not have the device.
std::shared_ptr<const Backend> make_backend(Device device, int threads);

}  // namespace tpn
