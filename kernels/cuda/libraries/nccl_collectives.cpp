#include "kernels/cuda/libraries/nccl_collectives.h"

#include "kernels/cuda/stream.h"

namespace tpn::cuda {
namespace {

class NcclCollectives final : public Collectives {
 public:
  NcclCollectives(const NcclApi& api, const DeviceRank& rank)
      : api_(api), ranks_(rank.ranks), communicator_(join(api, rank)) {}

  void reduce(std::span<const TensorView> tensors, Reduction reduction, Stream& stream) override {
    grouped([&] {
      for (const TensorView& tensor : tensors) {
        api_.check(api_.reduce(tensor.data, tensor.data, static_cast<std::size_t>(tensor.shape.count()),
                               ncclFloat, reduction == Reduction::mean ? ncclAvg : ncclSum,
                               communicator_.get(), stream_of(stream)),
                   "summing over GPUs");
      }
    });
  }

  /// Each rank tells the others each of its tensors, which need not lie one behind the other.
  void gather(std::span<const ConstTensorView> own, const TensorView& all, Stream& stream) override {
    grouped([&] {
      std::byte* to = all.data;
      for (int rank = 0; rank < ranks_; ++rank) {
        for (const ConstTensorView& tensor : own) {
          api_.check(api_.broadcast(tensor.data, to, static_cast<std::size_t>(tensor.shape.count()),
                                    ncclFloat, rank, communicator_.get(), stream_of(stream)),
                     "gathering from GPUs");
          to += tensor.bytes();
        }
      }
    });
  }

 private:
  /// Waits for no other rank: one that has failed would never come.
  struct Leave {
    decltype(NcclApi::leave) leave = nullptr;
    void operator()(ncclComm* communicator) const noexcept { static_cast<void>(leave(communicator)); }
  };

  using Owned = std::unique_ptr<ncclComm, Leave>;

  static Owned join(const NcclApi& api, const DeviceRank& rank) {
    ncclUniqueId id{};
    if (rank.rank == 0) api.check(api.make_id(&id), "naming the group of GPUs");
    rank.broadcast(std::as_writable_bytes(std::span(&id, 1)));
    ncclComm_t joined = nullptr;
    api.check(api.join(&joined, rank.ranks, id, rank.rank), "joining the other GPUs");
    return {joined, Leave{api.leave}};
  }

  /// What is enqueued within is one launch.
  template <class Enqueue>
  void grouped(const Enqueue& enqueue) const {
    api_.check(api_.begin_group(), "beginning an exchange");
    enqueue();
    api_.check(api_.end_group(), "starting an exchange");
  }

  const NcclApi& api_;
  int ranks_;
  Owned communicator_;
};

}  // namespace

void NcclApi::check(ncclResult_t result, const std::string& what) const {
  if (result == ncclSuccess) return;
  throw Error("NCCL failed when " + what + ": " + error_string(result) + ".");
}

std::unique_ptr<Collectives> join_by_nccl(const NcclApi& api, const DeviceRank& rank) {
  return std::make_unique<NcclCollectives>(api, rank);
}

}  // namespace tpn::cuda
