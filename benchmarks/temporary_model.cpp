#include "benchmarks/temporary_model.h"

#include <system_error>

#include "engine/networks/initialize.h"

namespace tpn::benchmarks {

void TemporaryModel::write(const std::string& config, std::optional<int> classes) const {
  Config loaded = load_config(config);
  if (classes) {
    loaded.head.num_classes = *classes;
    if (loaded.neck.aux_head) loaded.neck.aux_head->out_channels = *classes;
  }
  write_random_model(loaded, Initialization::varied, 1, {}, path());
}

void TemporaryModel::remove() const noexcept {
  std::error_code ignored;
  std::filesystem::remove_all(folder_.path(), ignored);
}

}  // namespace tpn::benchmarks
