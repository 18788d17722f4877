// Streams as queues of work that is done when somebody waits for it, events, and captured graphs.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>

namespace tpn::cuda_on_cpu {

struct Queue;

/// All work of a queue up to and including the one with that number.
struct Position {
  std::shared_ptr<Queue> queue;
  std::uint64_t number;
};

struct HostRange {
  std::byte* begin = nullptr;
  std::size_t size = 0;
};

/// Work, and the pinned host memory that it will read and write.
struct Operation {
  std::function<cudaError_t()> run;
  HostRange host_reads;
  HostRange host_writes;
  std::vector<Position> after;
};

/// What is recorded instead of done while streams are captured. Enqueueing order is one that dependencies
/// allow.
struct Capture {
  std::vector<Operation> operations;
  std::shared_ptr<Queue> origin;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;  // that began it
  bool invalid = false;
  std::vector<std::shared_ptr<Queue>>
      unjoined;  // streams that were drawn in and did not return to the origin
};

struct Queue {
  int device = 0;
  bool waits_for_legacy = true;  // and the legacy stream for it
  bool is_legacy = false;
  std::deque<Operation> pending;
  std::uint64_t enqueued = 0;
  std::uint64_t done = 0;
  std::shared_ptr<Capture> capture;
};

/// Where a stream was when an event was recorded.
struct Recorded {
  Position position;
  std::chrono::steady_clock::time_point time;
  bool done = false;
  std::shared_ptr<Capture> capture;
};

/// The queue of a stream; null: there is no such stream.
std::shared_ptr<Queue> queue_of(cudaStream_t stream);

/// Adds work to the stream, or to the graph that it is captured into.
cudaError_t enqueue(cudaStream_t stream, Operation operation);

/// Does the work up to the position, and all that must come before.
cudaError_t wait_for(const Position& position);

/// Does all work of the stream.
cudaError_t synchronize(const std::shared_ptr<Queue>& queue);

/// Does all work of the device.
cudaError_t synchronize_device(int device);

/// An error, and captures spoilt, where some stream is being captured in the mode "global", or in the mode
/// "thread local" by this thread: the calling function may not be used then.
cudaError_t refuse_during_capture();

}  // namespace tpn::cuda_on_cpu

struct CUstream_st {
  std::shared_ptr<tpn::cuda_on_cpu::Queue> queue;
};

struct CUevent_st {
  std::shared_ptr<tpn::cuda_on_cpu::Recorded> recorded;
  bool timed = true;
};

struct CUgraph_st {
  std::vector<tpn::cuda_on_cpu::Operation> operations;
};

struct CUgraphExec_st {
  std::vector<tpn::cuda_on_cpu::Operation> operations;
};
