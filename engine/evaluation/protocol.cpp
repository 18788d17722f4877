#include "engine/evaluation/protocol.h"

#include <algorithm>

#include "engine/model/config.h"
#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

struct Protocol {
  std::string name;
  int clips;
  bool segments;  ///< one frame of each of 8 segments, instead of clips of successive frames
};

constexpr int crops = 3, side = 256, segment_count = 8;

const std::vector<Protocol>& protocols() {
  static const std::vector<Protocol> all{{"k400", 10, false}, {"sthv1", 2, true}};
  return all;
}

}  // namespace

const std::vector<std::string>& protocol_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list{"model"};
    for (const Protocol& protocol : protocols()) list.push_back(protocol.name);
    return list;
  }();
  return names;
}

RecognizerOptions with_protocol(const std::string& name, const Model& model, RecognizerOptions given) {
  if (name == "model") return given;
  const auto protocol = std::ranges::find(protocols(), name, &Protocol::name);
  if (protocol == protocols().end()) throw Error("There is no protocol " + in_quotes(name) + ".");
  const Config config = parse_config(model.config_json());
  const bool segments = config.sampling.clip_len == 1;
  if (segments != protocol->segments || (segments && config.view_frames() != segment_count)) {
    throw Error("The protocol " + name + " is for models that see " +
                (protocol->segments ? std::to_string(segment_count) + " segments"
                                    : std::string("clips of successive frames")) +
                ", which " + model.name() + " does not.");
  }
  if (given.clips == 0) given.clips = protocol->clips;
  if (given.crops == 0) given.crops = crops;
  if (given.short_side == 0) given.short_side = side;
  if (given.crop_size == 0) given.crop_size = side;
  if (given.averaging == Averaging::automatic) given.averaging = Averaging::probabilities;
  return given;
}

}  // namespace tpn
