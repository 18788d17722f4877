#include "engine/devices/device_workers.h"

#include <memory>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "engine/networks/initialize.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn {
namespace {

std::vector<std::unique_ptr<DeviceExecutors>> cpus(std::size_t count) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path path = directory / "model.safetensors";
  write_random_model(test::tiny_config("tpn-slowonly-r50-8x8", 2, 5), Initialization::varied, 7, {}, path);
  const auto plans = std::make_shared<PlanCache>(Weights::load(path));
  std::vector<std::unique_ptr<DeviceExecutors>> devices;
  for (std::size_t i = 0; i < count; ++i) {
    devices.push_back(std::make_unique<DeviceExecutors>(plans, DeviceOptions{.threads = 1}));
  }
  return devices;
}

TEST(DeviceWorkers, RunOnTheCallersThreadWhereTheHostComputes) {
  DeviceWorkers workers(cpus(1));
  const auto thread = workers.start([](DeviceExecutors&) { return std::this_thread::get_id(); });
  EXPECT_EQ(thread.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(std::future(workers.start([](DeviceExecutors&) { return std::this_thread::get_id(); })).get(),
            std::this_thread::get_id());
}

TEST(DeviceWorkers, DoAllWorkAndHandErrorsOn) {
  DeviceWorkers workers(cpus(2));
  EXPECT_EQ(workers.count(), 2U);
  std::vector<std::future<int>> results;
  for (int i = 0; i < 50; ++i) {
    results.push_back(workers.start([i, moved = std::make_unique<int>(i)](DeviceExecutors&) {
      if (i % 10 == 3) throw std::runtime_error("no");
      return *moved * *moved;
    }));
  }
  for (int i = 0; i < 50; ++i) {
    std::future<int>& result = results[static_cast<std::size_t>(i)];
    if (i % 10 == 3) {
      EXPECT_THROW(result.get(), std::runtime_error);
    } else {
      EXPECT_EQ(result.get(), i * i);
    }
  }
}

}  // namespace
}  // namespace tpn
