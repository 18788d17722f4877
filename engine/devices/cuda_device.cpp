#include "engine/devices/cuda_device.h"

#include "engine/exec/selection_file.h"

namespace tpn {

std::shared_ptr<const CudaBackend> make_cuda_backend(CudaOptions options, bool keep_selections) {
  if (const auto file = selection_file(); file && options.trials && keep_selections) {
    options.selections = std::make_shared<SelectionStore>(load_selections(*file));
    options.on_compiled = [file = *file](SelectionStore& store) { save_selections(file, store); };
  }
  return std::make_shared<const CudaBackend>(std::move(options));
}

}  // namespace tpn
