// Exchanges between the devices of several processes, without the hosts.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace tpn {

/// One process of several whose devices are to exchange.
struct DeviceRank {
  int rank = 0;
  int ranks = 1;
  /// Rank 0's bytes become everyone's, by way of the hosts.
  std::function<void(std::span<std::byte> bytes)> broadcast = {};
  /// Whether all ranks say so.
  std::function<bool(bool here)> all = {};
};

/// All ranks call the same functions in the same order, with tensors of the same sizes, f32 and dense, in the
/// memory of the device. What is enqueued ends when all ranks have enqueued it. Throws Error when the device
/// or its library fails.
class Collectives {
 public:
  Collectives() = default;
  Collectives(const Collectives&) = delete;
  Collectives& operator=(const Collectives&) = delete;
  virtual ~Collectives() = default;

  enum class Reduction { sum, mean };
  /// Enqueues replacing each tensor by what becomes of those of all ranks.
  virtual void reduce(std::span<const TensorView> tensors, Reduction reduction, Stream& stream) = 0;
  /// Enqueues writing the tensors of all ranks, those of rank 0 first, to `all`.
  virtual void gather(std::span<const ConstTensorView> own, const TensorView& all, Stream& stream) = 0;
};

}  // namespace tpn
