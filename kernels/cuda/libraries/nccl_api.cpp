#include "kernels/cuda/libraries/nccl_api.h"

#include "kernels/cuda/libraries/dynamic_library.h"

namespace tpn::cuda {
namespace {

Result<NcclApi> load() {
  const auto functions = [](const DynamicLibrary& library, NcclApi& api) {
    library.load(api.version, "ncclGetVersion");
    library.load(api.error_string, "ncclGetErrorString");
    library.load(api.make_id, "ncclGetUniqueId");
    library.load(api.join, "ncclCommInitRank");
    library.load(api.leave, "ncclCommAbort");
    library.load(api.reduce, "ncclAllReduce");
    library.load(api.broadcast, "ncclBroadcast");
    library.load(api.begin_group, "ncclGroupStart");
    library.load(api.end_group, "ncclGroupEnd");
  };
  return load_api<NcclApi>("libnccl.so." + std::to_string(NCCL_MAJOR), TPN_NCCL_FOLDER, functions);
}

}  // namespace

const Result<NcclApi>& nccl_api() {
  static const Result<NcclApi> api = load();
  return api;
}

}  // namespace tpn::cuda
