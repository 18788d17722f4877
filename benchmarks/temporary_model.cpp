#include "benchmarks/temporary_model.h"

#include "engine/networks/initialize.h"

namespace tpn::benchmarks {

TemporaryModel::TemporaryModel(const std::string& config) {
  const Config parsed =
      config.ends_with(".json") ? parse_config(test::read_file(config)) : builtin_config(config);
  write_random_model(parsed, Initialization::varied, 1, {}, path());
}

}  // namespace tpn::benchmarks
