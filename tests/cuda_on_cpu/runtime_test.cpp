// The emulated runtime library: devices, memory, streams, events, graphs, limits of launches.
#include <cmath>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/device_vector.h"
#include "tests/cuda_on_cpu/sanitizer.h"
#include "tests/cuda_on_cpu/test_kernels.h"

namespace tpn::cuda_on_cpu {
namespace {

using test::start;

/// Pinned memory of the host.
class Pinned {
 public:
  explicit Pinned(std::size_t count) {
    EXPECT_EQ(cudaMallocHost(&data_, count * sizeof(float)), cudaSuccess);
  }
  ~Pinned() { cudaFreeHost(data_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  float& operator[](std::size_t i) { return data_[i]; }
  [[nodiscard]] float* data() const { return data_; }

 private:
  float* data_ = nullptr;
};

class Stream {
 public:
  explicit Stream(unsigned flags = cudaStreamNonBlocking) {
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream_, flags), cudaSuccess);
  }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }  // NOLINT(google-explicit-constructor)

 private:
  cudaStream_t stream_ = nullptr;
};

constexpr std::size_t count = 100;
constexpr std::size_t bytes = count * sizeof(float);

void add_one(const float* in, float* out, cudaStream_t stream) {
  ASSERT_EQ(start("add_one", test::add_one, {dim3(4), dim3(32), 0, stream}, in, out, static_cast<int>(count)),
            cudaSuccess);
}

TEST(Devices, AreAsManyAsTheTestSays) {
  for (const int number : {2, 0, 1}) {
    set_device_count(number);
    int found = -1;
    EXPECT_EQ(cudaGetDeviceCount(&found), number == 0 ? cudaErrorNoDevice : cudaSuccess);
    EXPECT_EQ(found, number);
    EXPECT_EQ(cudaSetDevice(1), number == 2   ? cudaSuccess
                                : number == 1 ? cudaErrorInvalidDevice
                                              : cudaErrorNoDevice);
    if (number == 2) {
      int device = -1;
      EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
      EXPECT_EQ(device, 1);
      EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
    }
  }
  cudaDeviceProp properties{};
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_STREQ(properties.name, "CUDA on CPU");
  EXPECT_EQ(properties.major, 9);
  cudaGetLastError();
}

TEST(Memory, RunsOutAndComesBack) {
  set_device_memory(1000000);
  std::size_t free = 0;
  std::size_t total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(free, 1000000U);
  void* half = nullptr;
  ASSERT_EQ(cudaMalloc(&half, 600000), cudaSuccess);
  void* other = half;
  EXPECT_EQ(cudaMalloc(&other, 600000), cudaErrorMemoryAllocation);
  EXPECT_EQ(other, nullptr);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaFree(half), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&other, 600000), cudaSuccess);
  EXPECT_EQ(cudaFree(other), cudaSuccess);
  EXPECT_EQ(cudaFree(other), cudaErrorInvalidValue);
  cudaGetLastError();
  set_device_memory(std::size_t{16} << 30);
}

TEST(Memory, StartsAsNan) {
  const DeviceVector<float> memory(count);
  for (const float value : memory.to_host()) EXPECT_TRUE(std::isnan(value));
}

TEST(Memory, CopiesPastTheEndAreRefused) {
  const DeviceVector<float> memory(count);
  std::vector<float> host(count + 1);
  EXPECT_EQ(cudaMemcpy(host.data(), memory.data(), bytes + 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(memory.data(), host.data(), bytes, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST(Memory, RowsAreCopiedWithTheirPitch) {
  std::vector<float> in(60);
  std::iota(in.begin(), in.end(), 0.0F);
  const DeviceVector<float> device(60);
  ASSERT_EQ(cudaMemset(device.data(), 0, 240), cudaSuccess);
  ASSERT_EQ(cudaMemcpy2D(device.data() + 2, 40, in.data(), 24, 16, 5, cudaMemcpyHostToDevice), cudaSuccess);
  const std::vector<float> out = device.to_host();
  for (std::size_t i = 0; i < 60; ++i) {
    const std::size_t x = i % 10;
    const bool copied = i / 10 < 5 && x >= 2 && x < 6;
    EXPECT_EQ(out[i], copied ? in[i / 10 * 6 + x - 2] : 0.0F);
  }
}

TEST(Launches, HaveTheDevicesLimits) {
  const DeviceVector<float> memory(count);
  const auto launch = [&](const dim3& grid, const dim3& block, std::size_t shared) {
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    return cudaLaunchKernelEx(&config, test::add_one, memory.data(), memory.data(), 0);
  };
  EXPECT_EQ(launch(dim3(1), dim3(1024), 0), cudaSuccess);
  EXPECT_EQ(launch(dim3(1), dim3(1025), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(dim3(1), dim3(32, 32, 2), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(dim3(1, 65536), dim3(32), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(dim3(0), dim3(32), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(dim3(1), dim3(32), std::size_t{48} * 1024), cudaSuccess);
  EXPECT_EQ(launch(dim3(1), dim3(32), 48 * 1024 + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(test::add_one, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 * 1024),
            cudaSuccess);
  EXPECT_EQ(launch(dim3(1), dim3(32), std::size_t{227} * 1024), cudaSuccess);
  EXPECT_EQ(cudaFuncSetAttribute(test::add_one, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 * 1024),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  cudaGetLastError();
}

TEST(Streams, DoTheirWorkInOrderWhenWaitedFor) {
  const Stream stream;
  Pinned host(count);
  for (std::size_t i = 0; i < count; ++i) host[i] = static_cast<float>(i);
  const DeviceVector<float> a(count);
  const DeviceVector<float> b(count);
  ASSERT_EQ(cudaMemcpyAsync(a.data(), host.data(), bytes, cudaMemcpyHostToDevice, stream), cudaSuccess);
  add_one(a.data(), b.data(), stream);
  add_one(b.data(), a.data(), stream);
  ASSERT_EQ(cudaMemcpyAsync(host.data(), a.data(), bytes, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  const std::uint64_t before = kernels_run();
  EXPECT_EQ(cudaStreamQuery(stream), cudaErrorNotReady);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess);
  EXPECT_EQ(kernels_run(), before + 2);
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(host[i], static_cast<float>(i + 2));
}

#ifndef TPN_ADDRESS_SANITIZER  // there the touch ends the program: address_sanitizer_test.cpp
TEST(Streams, TouchingWhatACopyWillWriteIsNamed) {
  const Stream stream;
  Pinned host(count);
  const DeviceVector<float> a(std::vector<float>(count, 5.0F));
  ASSERT_EQ(cudaMemcpyAsync(host.data(), a.data(), bytes, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_TRUE(std::isnan(host[7]));  // too early
  const std::vector<Finding> findings = take_findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, FindingKind::host_access_before_copy_end);
  EXPECT_NE(findings[0].message.find("byte 28 of 400"), std::string::npos) << findings[0].message;

  ASSERT_EQ(cudaMemcpyAsync(host.data(), a.data(), bytes, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(host[7], 5.0F);
  EXPECT_TRUE(take_findings().empty());
}
#endif

TEST(Streams, WaitForEventsOfOthers) {
  const Stream first;
  const Stream second;
  const DeviceVector<float> a(std::vector<float>(count, 5.0F));
  const DeviceVector<float> b(count);
  const DeviceVector<float> c(count);
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  add_one(a.data(), b.data(), first);
  ASSERT_EQ(cudaEventRecord(event, first), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(second, event, 0), cudaSuccess);
  add_one(b.data(), c.data(), second);
  ASSERT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  EXPECT_EQ(c.to_host(), std::vector<float>(count, 7.0F));
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST(Streams, DoNotWaitForOthersWithoutEvents) {
  const Stream first;
  const Stream second;
  const DeviceVector<float> a(std::vector<float>(count, 5.0F));
  const DeviceVector<float> b(count);
  const DeviceVector<float> c(count);
  add_one(a.data(), b.data(), first);
  add_one(b.data(), c.data(), second);
  ASSERT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  EXPECT_TRUE(std::isnan(c.to_host()[0]));
}

TEST(Streams, BlockingOnesAreOrderedWithTheLegacyStream) {
  const Stream blocking(cudaStreamDefault);
  const DeviceVector<float> a(std::vector<float>(count, 5.0F));
  const DeviceVector<float> b(count);
  const DeviceVector<float> c(count);
  add_one(a.data(), b.data(), blocking);
  add_one(b.data(), c.data(), nullptr);
  add_one(c.data(), a.data(), blocking);
  ASSERT_EQ(cudaStreamSynchronize(blocking), cudaSuccess);
  EXPECT_EQ(a.to_host(), std::vector<float>(count, 8.0F));
}

TEST(Events, MeasureTime) {
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  ASSERT_EQ(cudaEventCreate(&begin), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&end), cudaSuccess);
  const Stream stream;
  const DeviceVector<float> a(std::vector<float>(count, 5.0F));
  ASSERT_EQ(cudaEventRecord(begin, stream), cudaSuccess);
  add_one(a.data(), a.data(), stream);
  ASSERT_EQ(cudaEventRecord(end, stream), cudaSuccess);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaErrorNotReady);
  EXPECT_EQ(cudaEventQuery(end), cudaErrorNotReady);
  EXPECT_EQ(cudaEventSynchronize(end), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaSuccess);
  EXPECT_GT(milliseconds, 0.0F);
  EXPECT_EQ(cudaEventDestroy(begin), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(end), cudaSuccess);
  cudaGetLastError();
}

TEST(Graphs, RepeatWhatWasCaptured) {
  const Stream stream;
  const Stream branch;
  Pinned host(count);
  for (std::size_t i = 0; i < count; ++i) host[i] = 1.0F;
  const DeviceVector<float> a(count);
  const DeviceVector<float> b(count);
  cudaEvent_t fork = nullptr;
  cudaEvent_t join = nullptr;
  ASSERT_EQ(cudaEventCreate(&fork), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&join), cudaSuccess);

  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(a.data(), host.data(), bytes, cudaMemcpyHostToDevice, stream), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(fork, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(branch, fork, 0), cudaSuccess);
  add_one(a.data(), b.data(), branch);
  ASSERT_EQ(cudaEventRecord(join, branch), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(stream, join, 0), cudaSuccess);
  add_one(b.data(), a.data(), stream);
  ASSERT_EQ(cudaMemcpyAsync(host.data(), a.data(), bytes, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  ASSERT_EQ(cudaStreamIsCapturing(stream, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  std::size_t nodes = 0;
  ASSERT_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
  EXPECT_EQ(nodes, 4U);
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphDestroy(graph), cudaSuccess);

  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(host[0], 1.0F) << "capturing does nothing";
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(host[count - 1], static_cast<float>(3 + 2 * i));
  }
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(fork), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(join), cudaSuccess);
}

TEST(Graphs, RefuseWhatCannotBeCaptured) {
  const Stream stream;
  const auto capture_with = [&](auto&& call) {
    EXPECT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
    EXPECT_EQ(call(), cudaErrorStreamCaptureUnsupported);
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
  };
  capture_with([&] { return cudaStreamSynchronize(stream); });
  capture_with([] { return cudaDeviceSynchronize(); });
  capture_with([] {
    void* memory = nullptr;
    return cudaMalloc(&memory, 16);
  });
  cudaGetLastError();
}

TEST(Graphs, LetOtherThreadsAllocateWhereOnlyTheirOwnIsCaptured) {
  const Stream stream;
  for (const auto mode : {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal}) {
    ASSERT_EQ(cudaStreamBeginCapture(stream, mode), cudaSuccess);
    const bool allowed = mode == cudaStreamCaptureModeThreadLocal;
    std::thread([&] {
      const float value = 1;
      void* memory = nullptr;
      EXPECT_EQ(cudaMalloc(&memory, 16), allowed ? cudaSuccess : cudaErrorStreamCaptureUnsupported);
      if (!allowed) return;
      EXPECT_EQ(cudaMemcpy(memory, &value, sizeof(value), cudaMemcpyHostToDevice), cudaSuccess);
      EXPECT_EQ(cudaFree(memory), cudaSuccess);
    }).join();
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream, &graph),
              allowed ? cudaSuccess : cudaErrorStreamCaptureInvalidated);
    if (allowed) {
      EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
    }
  }
  cudaGetLastError();
}

TEST(Graphs, NeedTheirBranchesBack) {
  const Stream stream;
  const Stream branch;
  const DeviceVector<float> a(std::vector<float>(count, 5.0F));
  cudaEvent_t fork = nullptr;
  ASSERT_EQ(cudaEventCreate(&fork), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(fork, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(branch, fork, 0), cudaSuccess);
  add_one(a.data(), a.data(), branch);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(cudaEventDestroy(fork), cudaSuccess);
  cudaGetLastError();
}

}  // namespace
}  // namespace tpn::cuda_on_cpu
