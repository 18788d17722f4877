// Random weights: for benchmarks, demonstrations and training from scratch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/model/config.h"

namespace tpn {

/// Writes a model file with random weights: backbone Kaiming normal (fan out), neck Xavier uniform, batch
/// norm 1/0 (the last of each residual branch 0 for dims 3), fc N(0, 0.01) with bias 0, running statistics
/// 0/1. The same seed gives the same file on every machine. Labels may be empty.
void write_random_model(const Config& config, std::uint64_t seed, const std::vector<std::string>& labels,
                        const std::filesystem::path& path);

}  // namespace tpn
