#include "benchmarks/temporary_model.h"

#include "engine/networks/initialize.h"

namespace tpn::benchmarks {

TemporaryModel::TemporaryModel(const std::string& config) {
  write_random_model(load_config(config), Initialization::varied, 1, {}, path());
}

}  // namespace tpn::benchmarks
