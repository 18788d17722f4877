// What the primitives of kernels/cuda/device.cuh and the warp collectives give in each lane for fixed random
// inputs. What the emulated device gave is in tests/data/cuda_primitives, and what GPUs gave belongs there
// too: each is held against all of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tpn::test {

/// Outputs of one primitive, called by one warp.
struct Primitive {
  std::string name;
  /// The words are floats that sums of up to 32 products of numbers in [-1, 1] gave: hardware rounds those
  /// sums in its own way. Otherwise every bit counts.
  bool sums = false;
  std::vector<std::uint32_t> words;  ///< lane after lane, equally many each

  /// Whether only devices of compute capability 9.0 have it.
  [[nodiscard]] bool of_hopper() const { return name.starts_with("copy_box") || name.starts_with("wgmma"); }

  bool operator==(const Primitive&) const = default;
};

/// Runs all of them on the current device. Throws Error.
std::vector<Primitive> run_primitives();

/// As JSON: {"device": ..., "primitives": [{"name", "sums", "words": hexadecimal digits}]}.
void write_primitives(const std::vector<Primitive>& primitives, const std::string& device,
                      const std::filesystem::path& path);
/// Throws Error naming the file when it is none.
std::vector<Primitive> read_primitives(const std::filesystem::path& path);

/// One line for each primitive of `expected` that `found` lacks or gives otherwise.
std::vector<std::string> differences(const std::vector<Primitive>& found,
                                     const std::vector<Primitive>& expected);

}  // namespace tpn::test
