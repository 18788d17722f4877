// One thread for each device, and the work that they share.
#pragma once

#include <future>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/devices/bounded_queue.h"
#include "engine/devices/device_executors.h"

namespace tpn {

/// Work is taken up in its order by whichever device is free. What computes in the host's memory does so on
/// the calling thread; other devices go on while that thread is busy with results. start() may be called by
/// one thread at a time.
class DeviceWorkers {
 public:
  /// devices: of one model; one or more.
  explicit DeviceWorkers(std::vector<std::unique_ptr<DeviceExecutors>> devices);
  DeviceWorkers(const DeviceWorkers&) = delete;
  DeviceWorkers& operator=(const DeviceWorkers&) = delete;
  /// Waits for the work that has been taken up; drops the rest.
  ~DeviceWorkers();

  /// Waits until some device has nothing waiting for it. work: (DeviceExecutors&) -> what comes out of the
  /// future, as does what it throws.
  template <class Work>
  auto start(Work work) -> std::future<std::invoke_result_t<Work&, DeviceExecutors&>> {
    std::packaged_task<std::invoke_result_t<Work&, DeviceExecutors&>(DeviceExecutors&)> task(std::move(work));
    auto result = task.get_future();
    if (threads_.empty()) {
      task(*devices_.front());
    } else {
      tasks_.push(Task(std::move(task)));
    }
    return result;
  }

  /// Of all devices, which have the same.
  [[nodiscard]] DeviceExecutors& first() const { return *devices_.front(); }
  [[nodiscard]] std::size_t count() const { return devices_.size(); }

 private:
  using Task = std::packaged_task<void(DeviceExecutors&)>;

  std::vector<std::unique_ptr<DeviceExecutors>> devices_;
  BoundedQueue<Task> tasks_{1};
  std::vector<std::jthread> threads_;
};

}  // namespace tpn
