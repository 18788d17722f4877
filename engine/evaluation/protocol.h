// Under which rules a model is judged: the protocols of published figures.
#pragma once

#include <string>
#include <vector>

#include "engine/recognize/tpn.h"

namespace tpn {

/// "model" (the model's own) and the built-in ones:
/// k400    Kinetics-400: 10 clips along time, 3 crops of 256 from frames with short side 256; the mean of the
///         views' probabilities
/// sthv1   Something-Something V1: 8 segments, sampled twice (centres, then starts), 3 crops of 256, short
/// side
///         256; the mean of the views' probabilities
const std::vector<std::string>& protocol_names();

/// The options with the protocol's rules wherever `given` leaves them to the model. Throws Error for a name
/// that is none, and for a model that cannot be judged so: k400 takes clips of several frames, sthv1 eight
/// segments.
RecognizerOptions with_protocol(const std::string& name, const Model& model, RecognizerOptions given);

}  // namespace tpn
