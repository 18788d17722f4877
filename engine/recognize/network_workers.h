// One thread for each device, and the work that they share.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "engine/recognize/bounded_queue.h"
#include "engine/recognize/network_runner.h"

namespace tpn {

/// What became of a batch of views.
struct BatchReport {
  double inference_ms = 0;
  std::vector<std::string> warnings;  ///< whole sentences
};

/// Work is taken up in its order by whichever device is free. What computes in the host's memory does so on
/// the calling thread; other devices go on while that thread is busy with results. start() may be called by
/// one thread at a time.
class NetworkWorkers {
 public:
  using Work = std::function<BatchReport(NetworkRunner& runner)>;

  explicit NetworkWorkers(std::vector<std::unique_ptr<NetworkRunner>> runners);
  NetworkWorkers(const NetworkWorkers&) = delete;
  NetworkWorkers& operator=(const NetworkWorkers&) = delete;
  /// Waits for the work that has been taken up; drops the rest.
  ~NetworkWorkers();

  /// Waits until some device has nothing waiting for it. What the work throws comes out of the future.
  std::future<BatchReport> start(Work work);

  /// Of all devices, which have the same.
  [[nodiscard]] NetworkRunner& first() const { return *runners_.front(); }
  [[nodiscard]] std::size_t count() const { return runners_.size(); }

 private:
  using Task = std::packaged_task<BatchReport(NetworkRunner&)>;

  std::vector<std::unique_ptr<NetworkRunner>> runners_;
  BoundedQueue<std::shared_ptr<Task>> tasks_{1};
  std::vector<std::jthread> threads_;
};

}  // namespace tpn
