// What stands in for NCCL where there is one device, emulated, and ranks are threads: its functions wait for
// the stream and for the other ranks, and are done when they return.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include <cuda_runtime_api.h>

#include "kernels/cuda/libraries/nccl_api.h"
#include "tests/support/thread_communicator.h"

struct ncclComm {
  std::shared_ptr<tpn::test::ThreadRanks> ranks;
  int rank = 0;
  std::size_t exchanges = 0;
};

namespace tpn::test {

namespace stand_in_nccl {

inline ncclResult_t make_id(ncclUniqueId* id) {
  // Lives as long as the program: NCCL's names of groups end with nothing.
  static std::vector<std::unique_ptr<std::shared_ptr<ThreadRanks>>> groups;
  groups.push_back(std::make_unique<std::shared_ptr<ThreadRanks>>());
  const auto* group = groups.back().get();
  std::memcpy(id, &group, sizeof group);
  return ncclSuccess;
}

inline ncclResult_t join(ncclComm_t* joined, int ranks, ncclUniqueId id, int rank) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::shared_ptr<ThreadRanks>* group = nullptr;
  std::memcpy(&group, &id, sizeof group);
  if (!*group) *group = std::make_shared<ThreadRanks>(ranks);
  *joined = std::make_unique<ncclComm>(ncclComm{*group, rank}).release();
  return ncclSuccess;
}

inline ncclResult_t leave(ncclComm_t joined) {
  const std::unique_ptr<ncclComm> owner(joined);
  return ncclSuccess;
}

/// What all ranks have at that place.
inline std::map<int, std::vector<double>> exchange(const void* own, std::size_t count, ncclComm_t joined,
                                                   cudaStream_t stream) {
  std::vector<float> values(count);
  if (own != nullptr) {
    cudaMemcpyAsync(values.data(), own, count * sizeof(float), cudaMemcpyDeviceToHost, stream);
    cudaStreamSynchronize(stream);
  }
  const std::size_t number = joined->exchanges++;
  joined->ranks->put(joined->rank, number, {values.begin(), values.end()});
  return joined->ranks->take(joined->rank, number);
}

inline void store(const std::vector<float>& values, void* to, cudaStream_t stream) {
  cudaMemcpyAsync(to, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice, stream);
  cudaStreamSynchronize(stream);
}

inline ncclResult_t reduce(const void* from, void* to, std::size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t joined, cudaStream_t stream) {
  if (type != ncclFloat) return ncclInvalidArgument;
  std::vector<float> sum(count);
  const auto all = exchange(from, count, joined, stream);
  for (const auto& [rank, values] : all) {
    for (std::size_t i = 0; i < count; ++i) sum[i] += static_cast<float>(values[i]);
  }
  if (op == ncclAvg) {
    for (float& value : sum) value /= static_cast<float>(all.size());
  }
  store(sum, to, stream);
  return ncclSuccess;
}

inline ncclResult_t broadcast(const void* from, void* to, std::size_t count, ncclDataType_t type, int root,
                              ncclComm_t joined, cudaStream_t stream) {
  if (type != ncclFloat) return ncclInvalidArgument;
  const std::vector<double> values = exchange(from, count, joined, stream).at(root);
  store({values.begin(), values.end()}, to, stream);
  return ncclSuccess;
}

}  // namespace stand_in_nccl

inline const cuda::NcclApi& stand_in_nccl_api() {
  static const cuda::NcclApi api = [] {
    cuda::NcclApi made;
    made.error_string = [](ncclResult_t) { return "it only stands in for NCCL"; };
    made.make_id = stand_in_nccl::make_id;
    made.join = stand_in_nccl::join;
    made.leave = stand_in_nccl::leave;
    made.reduce = stand_in_nccl::reduce;
    made.broadcast = stand_in_nccl::broadcast;
    made.begin_group = [] { return ncclSuccess; };
    made.end_group = [] { return ncclSuccess; };
    return made;
  }();
  return api;
}

}  // namespace tpn::test
