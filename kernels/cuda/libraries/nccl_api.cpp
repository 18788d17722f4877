#include "kernels/cuda/libraries/nccl_api.h"

#include "kernels/cuda/libraries/dynamic_library.h"

namespace tpn::cuda {
namespace {

Result<NcclApi> load() {
  const Result<DynamicLibrary> library =
      DynamicLibrary::open("libnccl.so." + std::to_string(NCCL_MAJOR), TPN_NCCL_FOLDER);
  if (!library) return library.failure();
  NcclApi api;
  try {
    library->load(api.version, "ncclGetVersion");
    library->load(api.error_string, "ncclGetErrorString");
    library->load(api.make_id, "ncclGetUniqueId");
    library->load(api.join, "ncclCommInitRank");
    library->load(api.leave, "ncclCommAbort");
    library->load(api.reduce, "ncclAllReduce");
    library->load(api.broadcast, "ncclBroadcast");
    library->load(api.begin_group, "ncclGroupStart");
    library->load(api.end_group, "ncclGroupEnd");
  } catch (const Error& e) {
    return Failure{e.what()};
  }
  return api;
}

}  // namespace

const Result<NcclApi>& nccl_api() {
  static const Result<NcclApi> api = load();
  return api;
}

}  // namespace tpn::cuda
