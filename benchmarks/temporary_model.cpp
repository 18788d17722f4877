#include "benchmarks/temporary_model.h"

#include <system_error>

#include "engine/networks/initialize.h"

namespace tpn::benchmarks {

void TemporaryModel::write(const std::string& config) const {
  write_random_model(load_config(config), Initialization::varied, 1, {}, path());
}

void TemporaryModel::remove() const noexcept {
  std::error_code ignored;
  std::filesystem::remove_all(folder_.path(), ignored);
}

}  // namespace tpn::benchmarks
