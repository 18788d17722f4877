// Small networks with the topology of the real ones.
#pragma once

#include <string>

#include "engine/model/config.h"

namespace tpn::test {

/// The built-in configuration with few channels and classes: about 0.1 to 0.3 million parameters.
inline Config tiny_config(const std::string& name, int base_channels = 4, int classes = 11) {
  Config config = builtin_config(name);
  config.name += "-tiny";
  config.backbone.base_channels = base_channels;
  config.neck.in_channels.clear();
  for (const int stage : config.backbone.out_indices)
    config.neck.in_channels.push_back(base_channels * 4 << stage);
  config.neck.spatial_in_channels = config.neck.in_channels;
  config.neck.spatial_out_channels = config.neck.in_channels.back();
  config.neck.out_channels = 64;
  for (int& channels : config.neck.level_fusion.in_channels) channels = 64;
  for (int& channels : config.neck.level_fusion.mid_channels) channels = 32;
  config.neck.level_fusion.out_channels = 48;
  config.neck.pyramid_channels = 80;
  if (config.neck.aux_head) config.neck.aux_head->out_channels = classes;
  config.head.in_channels = 80;
  config.head.num_classes = classes;
  return config;
}

}  // namespace tpn::test
