#include "kernels/cuda/launch.h"

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace tpn::cuda {
namespace {

/// Blocks and threads that CUDA allows on every device of compute capability 8.0 and above.
constexpr std::array<std::uint32_t, 3> max_grid{0x7fffffffU, 0xffffU, 0xffffU};
constexpr std::array<std::uint32_t, 3> max_block{1024, 1024, 64};
constexpr std::uint64_t max_threads = 1024;

std::string to_string(const dim3& extents) {
  return std::to_string(extents.x) + " x " + std::to_string(extents.y) + " x " + std::to_string(extents.z);
}

bool within(const dim3& extents, const std::array<std::uint32_t, 3>& limit) {
  return extents.x > 0 && extents.x <= limit[0] && extents.y > 0 && extents.y <= limit[1] && extents.z > 0 &&
         extents.z <= limit[2];
}

void check_extents(const char* name, const LaunchShape& shape) {
  if (!within(shape.grid, max_grid)) {
    throw Error("The kernel " + std::string(name) + " cannot run on a grid of " + to_string(shape.grid) +
                " blocks: CUDA allows 1 to " + to_string(dim3(max_grid[0], max_grid[1], max_grid[2])) + ".");
  }
  const std::uint64_t threads = std::uint64_t{shape.block.x} * shape.block.y * shape.block.z;
  if (!within(shape.block, max_block) || threads > max_threads) {
    throw Error("The kernel " + std::string(name) + " cannot run in blocks of " + to_string(shape.block) +
                " threads: CUDA allows 1 to " + std::to_string(max_threads) + ".");
  }
}

/// Dynamic shared memory (bytes) that each kernel was allowed so far, on each device. Thread-safe.
class SharedMemoryLimits {
 public:
  /// Lets the kernel have that much on the current device, unless it may already.
  void raise(const char* name, const void* kernel, std::size_t bytes) {
    const int device = current_device();
    const std::lock_guard lock(mutex_);
    std::size_t& allowed = allowed_[{device, kernel}];
    if (bytes <= allowed) return;
    const int limit = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
    if (bytes > static_cast<std::size_t>(limit)) {
      throw Error("The kernel " + std::string(name) + " needs " + std::to_string(bytes) +
                  " bytes of shared memory, and a block has at most " + std::to_string(limit) +
                  " on this device.");
    }
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          "giving the kernel " + std::string(name) + " " + std::to_string(bytes) + " bytes of shared memory");
    // By default a multiprocessor may keep so much of the memory as cache that fewer blocks fit.
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                               cudaSharedmemCarveoutMaxShared),
          "giving the kernel " + std::string(name) + " all shared memory of a multiprocessor");
    allowed = bytes;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<int, const void*>, std::size_t> allowed_;
};

/// What every kernel has without asking, if it declares no shared memory of fixed size besides: then it is
/// asked for too.
constexpr std::size_t default_shared_bytes = std::size_t{48} * 1024;
constexpr std::size_t fixed_shared_bytes = std::size_t{16} * 1024;

void allow_shared_bytes(const char* name, const void* kernel, std::size_t bytes) {
  static SharedMemoryLimits limits;
  if (bytes > default_shared_bytes - fixed_shared_bytes) limits.raise(name, kernel, bytes);
}

constinit thread_local std::vector<LaunchReport>* observed = nullptr;

LaunchReport report_of(const char* name, const void* kernel, const LaunchShape& shape) {
  LaunchReport report{.kernel = name,
                      .blocks = std::int64_t{shape.grid.x} * shape.grid.y * shape.grid.z,
                      .threads = static_cast<int>(shape.block.x * shape.block.y * shape.block.z),
                      .shared_bytes = shape.shared_bytes};
  report.resident = resident_blocks(name, kernel, report.threads, report.shared_bytes);
  const int device = current_device();
  const int threads = device_attribute(cudaDevAttrMaxThreadsPerMultiProcessor, device);
  const int multiprocessors = device_attribute(cudaDevAttrMultiProcessorCount, device);
  report.occupancy = static_cast<double>(report.resident) * report.threads / threads;
  if (report.resident > 0) {
    report.waves = static_cast<double>(report.blocks) / report.resident / multiprocessors;
  }
  return report;
}

}  // namespace

void check(cudaError_t status, const std::string& what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // otherwise the next call that succeeds would seem to have failed
  const std::string message =
      "CUDA failed when " + what + ": " + cudaGetErrorName(status) + " (" + cudaGetErrorString(status) + ").";
  if (status == cudaErrorMemoryAllocation) throw OutOfMemory(message);
  throw Error(message);
}

void require_working_device(Stream& stream, const std::string& after) {
  try {
    stream.synchronize();
  } catch (const Error& e) {
    throw Error("The CUDA device cannot be used any more after " + after + ": " + e.what());
  }
}

int current_device() {
  int device = 0;
  check(cudaGetDevice(&device), "asking for the current device");
  return device;
}

int device_attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, device), "asking for a property of the device");
  return value;
}

std::vector<LaunchReport> observe_launches(const std::function<void()>& work) {
  std::vector<LaunchReport> launches;
  struct Observe {
    explicit Observe(std::vector<LaunchReport>& to) { observed = &to; }
    Observe(const Observe&) = delete;
    Observe& operator=(const Observe&) = delete;
    ~Observe() { observed = nullptr; }
  };
  const Observe observe(launches);
  work();
  return launches;
}

int resident_blocks(const char* name, const void* kernel, int threads, std::size_t shared_bytes) {
  allow_shared_bytes(name, kernel, shared_bytes);
  int blocks = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, shared_bytes),
        "asking how many blocks of the kernel " + std::string(name) + " a multiprocessor has room for");
  return blocks;
}

void detail::prepare_launch(const char* name, const void* kernel, const LaunchShape& shape) {
  check_extents(name, shape);
  allow_shared_bytes(name, kernel, shape.shared_bytes);
  if (observed != nullptr) observed->push_back(report_of(name, kernel, shape));
}

}  // namespace tpn::cuda
