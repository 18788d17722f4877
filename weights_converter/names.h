// The names that different sources of checkpoints give to the same parameters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tpn {

enum class NamingScheme : std::uint8_t {
  mmaction2,      ///< backbone., neck., cls_head.: what model files use
  decisionforce,  ///< the original repository: backbone. as in torchvision, necks., cls_head.
  backbone_only,  ///< mmaction2's backbone, without the prefix
  torchvision,    ///< a ResNet for images
};

/// "mmaction2", "decisionforce/TPN", ...
std::string_view name_of(NamingScheme scheme);

/// Whether files of this scheme hold a backbone alone.
constexpr bool is_backbone_alone(NamingScheme scheme) {
  return scheme == NamingScheme::backbone_only || scheme == NamingScheme::torchvision;
}

/// Which scheme a file's names follow, whatever "module." prefix was taken off before.
NamingScheme detect_scheme(const std::vector<std::string_view>& names);

/// What a parameter, given by mmaction2's name, is called under the scheme. Empty for what the scheme has no
/// name for: neck and head, where it has a backbone alone.
std::string name_under(NamingScheme scheme, std::string_view mmaction2_name);

/// A parameter's name, and what was taken out of it.
struct UnwrappedName {
  std::string name;
  std::string removed;  ///< "module.", "module._orig_mod.", ...; empty for most
};

/// Takes out what wrappers of training add: "module." (data-parallel), "_orig_mod." (compiled) and the like
/// anywhere, "model.", "net." and the like at the front, all of them repeated and mixed.
UnwrappedName without_wrappers(std::string_view name);

/// Where all names begin with the same segment and it is none that a network's begin with: that segment with
/// its dot.
std::string_view common_prefix(const std::vector<std::string>& names);

}  // namespace tpn
