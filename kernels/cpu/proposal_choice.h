// Which of oneDNN's proposals for a convolution is taken.
#pragma once

#include <string_view>

namespace tpn::cpu {

/// What the choice depends on.
struct ProposalTraits {
  bool is_pointwise = false;
  bool is_over_time = false;  ///< one tap wide and several high
  bool adds = false;          ///< a residual, to its output
  bool full_vectors = true;   ///< channels and outputs fill vectors of 16
  bool has_amx = false;       ///< oneDNN computes with AMX
};

/// Whether the proposal of that implementation is to be taken; when none is, the first is. oneDNN proposes
/// its best first but for three faults, of versions 2.6 and 3.7:
/// * Of pointwise convolutions that add to their output brgconv, proposed first, is slower by a fifth to a
///   third than the direct kernels proposed next.
/// * Of these, jit_bf16_1x1 computes wrong sums where channels do not fill a vector of 16.
/// * With AMX brgconv reaches a third of its rate where frames are rows of the image; with the older kernels
///   of AMX for these layers a whole network takes 0.84 (2.6) and 0.90 (3.7) of the time.
inline bool is_wanted(const ProposalTraits& traits, std::string_view implementation) {
  if (traits.is_pointwise && traits.adds) {
    return traits.full_vectors ? implementation.starts_with("jit")
                               : !implementation.starts_with("jit_bf16_1x1");
  }
  if (traits.is_over_time && traits.has_amx) {
    return implementation.starts_with("jit:") && implementation.find("amx") != std::string_view::npos;
  }
  return true;
}

}  // namespace tpn::cpu
