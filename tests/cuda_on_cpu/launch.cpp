// Checks launches as a device does, and enqueues them.
#include <map>
#include <mutex>
#include <sstream>

#include <cuda_runtime.h>

#include "tests/cuda_on_cpu/devices.h"
#include "tests/cuda_on_cpu/grid.h"
#include "tests/cuda_on_cpu/stream.h"

namespace tpn::cuda_on_cpu {

namespace {

struct Names {
  std::mutex mutex;
  std::map<const void*, std::string> by_kernel;
  std::uint64_t launches = 0;
};

Names& names() {
  static Names instance;
  return instance;
}

std::string name_of_kernel(const void* kernel) {
  Names& all = names();
  const std::lock_guard lock(all.mutex);
  const auto found = all.by_kernel.find(kernel);
  if (found != all.by_kernel.end()) return found->second;
  std::ostringstream text;
  text << "kernel at " << kernel;
  return text.str();
}

std::uint64_t next_serial() {
  Names& all = names();
  const std::lock_guard lock(all.mutex);
  return ++all.launches;
}

/// As the device answers.
cudaError_t check_limits(const cudaLaunchConfig_t& config, std::size_t allowed) {
  const dim3& grid = config.gridDim;
  const dim3& block = config.blockDim;
  const bool empty =
      grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0;
  const bool block_fits = block.x <= max_threads && block.y <= max_threads && block.z <= 64 &&
                          std::uint64_t{block.x} * block.y * block.z <= max_threads;
  const bool grid_fits = grid.x <= 0x7fffffffU && grid.y <= 0xffffU && grid.z <= 0xffffU;
  if (empty || !block_fits || !grid_fits) return cudaErrorInvalidConfiguration;
  return config.dynamicSmemBytes > allowed ? cudaErrorInvalidValue : cudaSuccess;
}

}  // namespace

void name_kernel(const void* kernel, const char* name) {
  Names& all = names();
  const std::lock_guard lock(all.mutex);
  all.by_kernel.insert_or_assign(kernel, name);
}

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel,
                   std::shared_ptr<const KernelCall> call) {
  if (device_count() == 0) return remember(cudaErrorNoDevice);
  const SharedLimits limits = shared_limits(kernel);
  const cudaError_t status = check_limits(config, limits.dynamic);
  if (status != cudaSuccess) return remember(status);
  const auto queue = queue_of(config.stream);
  Launch work{name_of_kernel(kernel),
              queue->device,
              config.gridDim,
              config.blockDim,
              config.dynamicSmemBytes,
              limits.total,
              0,
              std::move(call)};
  return remember(enqueue(config.stream, {[work]() mutable {
                                            work.serial = next_serial();
                                            return run_grid(work) ? cudaSuccess : cudaErrorLaunchFailure;
                                          },
                                          {},
                                          {},
                                          {}}));
}

}  // namespace tpn::cuda_on_cpu
