// Random weights: for benchmarks, demonstrations and training from scratch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "engine/networks/network.h"

namespace tpn {

enum class Initialization : std::uint8_t {
  /// Where mmaction2 starts training: backbone Kaiming normal (fan out), neck Xavier uniform, batch norm 1
  /// and
  /// 0 (0 and 0 at the end of each residual branch for dims 3), fc N(0, 0.01) with bias 0, running statistics
  /// 0 and 1.
  from_scratch,
  /// Every parameter and every running statistic is non-trivial, with activations of order 1 through the
  /// network, so that each of them shows in the output.
  varied,
};

/// Hands the values of one parameter to the sink, in order, in pieces: float32, or int64 for
/// num_batches_tracked. They depend on `seed` and the parameter's name and shape alone and are the same on
/// every machine: no function of a maths or random library whose results may differ is involved. "Normal"
/// values are sums of twelve uniform ones.
void initialize_parameter(const ParameterSpec& spec, const Config& config, Initialization initialization,
                          std::uint64_t seed, const std::function<void(std::span<const std::byte>)>& sink);

/// Writes a model file with random float32 weights. Labels may be empty. Throws Error naming the file when it
/// cannot be written.
void write_random_model(const Config& config, Initialization initialization, std::uint64_t seed,
                        const std::vector<std::string>& labels, const std::filesystem::path& path);

}  // namespace tpn
