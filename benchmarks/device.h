// What benchmarks run on.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kernels/backend.h"
#include "kernels/precision_info.h"

namespace tpn::benchmarks {

/// The most that a device can do at once, per second.
struct Roofline {
  double bytes = 0;
  double multiply_adds = 0;

  /// The least time for so much.
  [[nodiscard]] double seconds(double moved_bytes, double products) const {
    return std::max(moved_bytes / bytes, products / multiply_adds);
  }
};

/// Of an NVIDIA H200 (SXM), by its data sheet: dense products with sums in f32.
Roofline h200_roofline(Precision precision);

struct BenchmarkDevice {
  /// The backend with that many threads of the host; 0: as many as there are.
  std::function<std::shared_ptr<const Backend>(int threads)> backend;
  /// How many threads it computes with; 0 where they are not the host's.
  std::function<int(const Backend& backend)> threads = [](const Backend&) { return 0; };
  /// By the device's data; empty where the peak has to be measured.
  std::function<Roofline(Precision precision)> roofline;
};

BenchmarkDevice cpu_device();

/// name: "cpu", "cuda" or "cuda:N"; libraries: whether kernels of NVIDIA's may be chosen there. Throws Error
/// when there is no such device.
BenchmarkDevice open_device(const std::string& name, bool libraries);

}  // namespace tpn::benchmarks
