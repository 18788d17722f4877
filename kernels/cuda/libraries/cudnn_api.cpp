#include "kernels/cuda/libraries/cudnn_api.h"

#include <array>

#include "kernels/cuda/libraries/dynamic_library.h"

namespace tpn::cuda {
namespace {

constexpr std::size_t oldest_version = 90800;

Result<CudnnApi> load() {
  const auto functions = [](const DynamicLibrary& library, CudnnApi& api) {
    library.load(api.version, "cudnnGetVersion");
    library.load(api.error_string, "cudnnGetErrorString");
    library.load(api.last_error_string, "cudnnGetLastErrorString");
    library.load(api.create, "cudnnCreate");
    library.load(api.destroy, "cudnnDestroy");
    library.load(api.set_stream, "cudnnSetStream");
    library.load(api.create_descriptor, "cudnnBackendCreateDescriptor");
    library.load(api.destroy_descriptor, "cudnnBackendDestroyDescriptor");
    library.load(api.finalize, "cudnnBackendFinalize");
    library.load(api.set_attribute, "cudnnBackendSetAttribute");
    library.load(api.get_attribute, "cudnnBackendGetAttribute");
    library.load(api.execute, "cudnnBackendExecute");
  };
  Result<CudnnApi> api =
      load_api<CudnnApi>("libcudnn.so." + std::to_string(CUDNN_MAJOR), TPN_CUDNN_FOLDER, functions);
  if (api && api->version() < oldest_version) {
    return Failure{"The library cuDNN is of version " + std::to_string(api->version()) +
                   "; TPN uses it from " + std::to_string(oldest_version) + " on."};
  }
  return api;
}

}  // namespace

void CudnnApi::check(cudnnStatus_t status, const std::string& what) const {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 512> detail{};
  last_error_string(detail.data(), detail.size() - 1);
  throw Error("cuDNN failed when " + what + ": " + error_string(status) +
              (detail[0] != '\0' ? " (" + std::string(detail.data()) + ")." : "."));
}

const Result<CudnnApi>& cudnn_api() {
  static const Result<CudnnApi> api = load();
  return api;
}

}  // namespace tpn::cuda
