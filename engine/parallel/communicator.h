// Processes that compute together.
#pragma once

#include <cstddef>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kernels/collectives.h"
#include "kernels/error.h"

namespace tpn {

/// Another process of the run has ended, or cannot go on.
class RankFailure : public Error {
 public:
  using Error::Error;
};

/// What a process knows of the others. All ranks call the same functions in the same order, with buffers of
/// the same sizes; every sum comes out as the same bits on all of them, and from run to run. Everything
/// throws RankFailure, naming the rank, once another one has failed. One thread calls the functions.
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  [[nodiscard]] virtual int rank() const = 0;  ///< from 0
  [[nodiscard]] virtual int size() const = 0;
  [[nodiscard]] virtual int local_rank() const = 0;  ///< among those on this machine
  [[nodiscard]] virtual int local_size() const = 0;

  /// Begins to replace the values by their sums over all ranks, while the caller goes on. Until the future is
  /// ready nobody may touch them. memory: owns them, perhaps longer than the caller.
  [[nodiscard]] virtual std::future<void> start_sum(std::span<float> values,
                                                    std::shared_ptr<const void> memory) = 0;
  virtual void sum(std::span<double> values) = 0;
  /// Of all ranks, one after the other: all.size() is size() times own.size().
  virtual void gather(std::span<const float> own, std::span<float> all) = 0;
  /// Rank 0's bytes become everyone's.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  /// Returns when all ranks have called it.
  virtual void barrier() = 0;

  /// Tells the others that this rank cannot go on, and why.
  virtual void fail(std::string_view sentence) noexcept = 0;
};

/// Rank 0's text, of any length.
std::string broadcast(Communicator& communicator, std::string text);

/// Whether any rank says so.
bool any_rank(Communicator& communicator, bool here);

/// For joining the devices of the communicator's ranks. Refers to it.
DeviceRank device_rank(Communicator& communicator);

}  // namespace tpn
