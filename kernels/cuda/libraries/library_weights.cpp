#include "kernels/cuda/libraries/library_weights.h"

#include <mutex>
#include <string>
#include <vector>

#include "kernels/convert.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/libraries/library_shapes.h"
#include "kernels/cuda/memory.h"

namespace tpn::cuda {
namespace {

Buffer upload(const std::vector<float>& values, DType type) {
  const HostBuffer host(values.size() * size_of(type));
  convert(reinterpret_cast<const std::byte*>(values.data()), DType::f32, host.data(), type, values.size());
  Buffer device = allocate_device(host.bytes());
  check(cudaMemcpy(device.data(), host.data(), host.bytes(), cudaMemcpyHostToDevice),
        "copying a weight to the device");
  check(cudaStreamSynchronize(nullptr), "copying a weight to the device");
  return device;
}

/// What the prepared weights keep: no owner of the memory.
struct Slot {
  mutable std::mutex mutex;
  mutable std::weak_ptr<const LibraryWeights> current;
};

}  // namespace

std::shared_ptr<const LibraryWeights> library_weights(const ops::FusedConv3d& op,
                                                      const Signature& signature) {
  const DType type = signature.outputs[0].dtype;
  const std::string key = "cuda library|" + signature.inputs[1].constant->name + "|" +
                          (op.norm ? signature.inputs[2].constant->name : "") + "|" +
                          std::string(name_of(type));
  const auto slot = signature.prepared.get<Slot>(key, [] { return std::make_shared<const Slot>(); });
  const std::lock_guard lock(slot->mutex);
  if (auto current = slot->current.lock()) return current;
  const FoldedWeights folded = fold_weights(op, signature);
  auto made = std::make_shared<LibraryWeights>();
  made->weights = upload(folded.weights, type);
  made->bias = upload(folded.bias, type);
  slot->current = made;
  return made;
}

}  // namespace tpn::cuda
