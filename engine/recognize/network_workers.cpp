#include "engine/recognize/network_workers.h"

#include <utility>

namespace tpn {

NetworkWorkers::NetworkWorkers(std::vector<std::unique_ptr<NetworkRunner>> runners)
    : runners_(std::move(runners)) {
  if (runners_.size() == 1 && runners_.front()->backend().uses_host_memory()) return;
  for (const std::unique_ptr<NetworkRunner>& runner : runners_) {
    threads_.emplace_back([this, worker = runner.get()] {
      while (const std::optional<std::shared_ptr<Task>> task = tasks_.pop()) (**task)(*worker);
    });
  }
}

NetworkWorkers::~NetworkWorkers() {
  tasks_.cancel();
}

std::future<BatchReport> NetworkWorkers::start(Work work) {
  const auto task = std::make_shared<Task>(std::move(work));
  std::future<BatchReport> report = task->get_future();
  if (threads_.empty()) {
    (*task)(*runners_.front());
  } else {
    tasks_.push(task);
  }
  return report;
}

}  // namespace tpn
