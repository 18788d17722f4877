#include "kernels/cpu/processors.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "kernels/cpu/available_memory.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

/// A file system with control groups.
class ProcessorQuota : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    root_.write(name, text);
  }
  [[nodiscard]] double quota() const { return cpu::processor_quota(root_.path()).value_or(0); }

  test::TemporaryDirectory root_;
};

TEST_F(ProcessorQuota, IsNoneWithoutControlGroups) {
  EXPECT_EQ(cpu::processor_quota(root_.path()), std::nullopt);
}

TEST_F(ProcessorQuota, IsTheSmallestOfAllLevels) {
  write("proc/self/mountinfo",
        "1 2 0:3 / / rw - ext4 /dev/a rw\n30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cpu::processor_quota(root_.path()), std::nullopt);
  write("sys/fs/cgroup/a/cpu.max", "250000 100000\n");
  EXPECT_EQ(quota(), 2.5);
  write("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota(), 0.5);
  write("sys/fs/cgroup/other/cpu.max", "10000 100000\n");  // of other processes
  EXPECT_EQ(quota(), 0.5);
}

TEST_F(ProcessorQuota, IsFoundAtTheMountPointInAContainer) {
  write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/cpu.max", "400000 100000\n");
  EXPECT_EQ(quota(), 4);
  // Without a namespace of its own, the group has the host's name.
  write("proc/self/mountinfo", "30 23 0:26 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  write("proc/self/cgroup", "0::/docker/x\n");
  EXPECT_EQ(quota(), 4);
  write("proc/self/cgroup", "0::/../y\n");  // outside of what is shown
  EXPECT_EQ(quota(), 4);
}

TEST_F(ProcessorQuota, IsFoundInTheFirstVersion) {
  write("proc/self/mountinfo",
        "33 25 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "32 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  write("proc/self/cgroup", "5:cpuset:/\n4:cpu,cpuacct:/group\n0::/\n");
  write("sys/fs/cgroup/cpu,cpuacct/group/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/group/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu::processor_quota(root_.path()), std::nullopt);
  write("sys/fs/cgroup/cpu,cpuacct/group/cpu.cfs_quota_us", "150000\n");
  EXPECT_EQ(quota(), 1.5);
}

TEST(CpuThreads, AreAsManyAsMakeSense) {
  EXPECT_GE(cpu::default_threads(), 1);
  EXPECT_LE(cpu::default_threads(), cpu::most_threads());
  EXPECT_EQ(CpuBackend(3).threads(), 3);
  EXPECT_THROW(CpuBackend(-1), Error);
  EXPECT_THROW(CpuBackend(cpu::most_threads() + 1), Error);
  EXPECT_THROW(CpuBackend(2147483647), Error);
}

TEST(CpuMemory, IsNotTakenWhereThereIsNone) {
  const test::TemporaryDirectory root;
  EXPECT_EQ(cpu::available_memory(root.path()), std::nullopt);
  std::filesystem::create_directory(root / "proc");
  root.write("proc/meminfo",
             "MemTotal:  24000000 kB\nMemFree: 5 kB\nMemAvailable:     1024 kB\nBuffers: 7 kB\n");
  EXPECT_EQ(cpu::available_memory(root.path()), 1U << 20U);
  const std::optional<std::size_t> available = cpu::available_memory();
  ASSERT_TRUE(available);
  EXPECT_THROW((void)CpuBackend(1).allocate(*available * 3 / 2), OutOfMemory);
  EXPECT_EQ(CpuBackend(1).allocate(100).bytes(), 100U);
}

}  // namespace
}  // namespace tpn
