// Tells models apart.
#pragma once

#include <filesystem>
#include <string>

namespace tpn::app {

/// A digest of a model's file, which is looked at in many places rather than read. Throws Error when it
/// cannot be.
std::string model_digest(const std::filesystem::path& model);

}  // namespace tpn::app
