#include "engine/devices/device_workers.h"

#include <optional>

namespace tpn {

DeviceWorkers::DeviceWorkers(std::vector<std::unique_ptr<DeviceExecutors>> devices)
    : devices_(std::move(devices)) {
  if (devices_.size() == 1 && devices_.front()->backend().uses_host_memory()) return;
  for (const std::unique_ptr<DeviceExecutors>& device : devices_) {
    threads_.emplace_back([this, &executors = *device] {
      while (std::optional<Task> task = tasks_.pop()) (*task)(executors);
    });
  }
}

DeviceWorkers::~DeviceWorkers() {
  tasks_.cancel();
}

}  // namespace tpn
