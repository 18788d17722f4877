#include "tests/cuda_on_cpu/stream.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/devices.h"
#include "tests/cuda_on_cpu/host_guard.h"
#include "tests/cuda_on_cpu/memory.h"
#include "tests/cuda_on_cpu/random.h"

namespace tpn::cuda_on_cpu {

namespace {

/// All queues. `mutex` guards them; `running` is held while work is done, so that only one thread of the host
/// does work while others enqueue.
struct Streams {
  std::mutex mutex;
  std::recursive_mutex running;
  std::array<std::shared_ptr<Queue>, max_devices> legacy;
  std::vector<std::weak_ptr<Queue>> queues;
  std::vector<std::weak_ptr<Capture>> captures;
  cudaError_t failed = cudaSuccess;  // of work, not yet told
  bool failures_stay = false;
  Random random;

  Streams() {
    for (int device = 0; device < max_devices; ++device) {
      auto queue = std::make_shared<Queue>();
      queue->device = device;
      queue->is_legacy = true;
      queues.push_back(queue);
      legacy[static_cast<std::size_t>(device)] = queue;
    }
  }
};

Streams& streams() {
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): others end streams at exit
  static Streams* const instance = new Streams;
  return *instance;
}

bool overlap(const HostRange& a, const HostRange& b) {
  return a.size != 0 && b.size != 0 && a.begin < b.begin + b.size && b.begin < a.begin + a.size;
}

/// The host must not see old contents where a copy will write: NaN bytes, and an untouchable page where
/// possible. Not while other work waits to read the same memory.
void hide_destination(Streams& all, const HostRange& range) {
  if (range.size == 0) return;
  for (const std::weak_ptr<Queue>& weak : all.queues) {
    const auto queue = weak.lock();
    if (queue == nullptr) continue;
    for (const Operation& operation : queue->pending) {
      if (overlap(operation.host_reads, range) || overlap(operation.host_writes, range)) return;
    }
  }
  std::memset(range.begin, nan_byte, range.size);
  guard_host_memory(range.begin, range.size);
}

/// What the stream semantics of CUDA make new work in the queue wait for.
std::vector<Position> implicit_dependencies(Streams& all, const Queue& queue) {
  std::vector<Position> result;
  if (queue.is_legacy) {
    for (const std::weak_ptr<Queue>& weak : all.queues) {
      const auto other = weak.lock();
      if (other != nullptr && other.get() != &queue && other->device == queue.device &&
          other->waits_for_legacy && !other->is_legacy && other->done < other->enqueued) {
        result.push_back({other, other->enqueued});
      }
    }
  } else if (queue.waits_for_legacy) {
    const auto& legacy = all.legacy[static_cast<std::size_t>(queue.device)];
    if (legacy->done < legacy->enqueued) result.push_back({legacy, legacy->enqueued});
  }
  return result;
}

/// Whether the capture keeps this thread from what waits or allocates.
bool is_forbidding(const Capture& capture) {
  return capture.mode == cudaStreamCaptureModeGlobal ||
         (capture.mode == cudaStreamCaptureModeThreadLocal && capture.thread == std::this_thread::get_id());
}

/// Spoils the captures for which it holds; false: there are none.
template <class Forbids>
bool spoil_captures(Streams& all, const Forbids& forbids) {
  bool spoilt = false;
  for (const std::weak_ptr<Capture>& weak : all.captures) {
    const std::shared_ptr<Capture> capture = weak.lock();
    if (capture == nullptr || !forbids(*capture)) continue;
    capture->invalid = true;
    spoilt = true;
  }
  return spoilt;
}

/// Whether a capture keeps this thread from using the legacy stream of the device.
bool forbids_legacy(const Streams& all, int device) {
  return std::ranges::any_of(all.captures, [&](const std::weak_ptr<Capture>& weak) {
    const std::shared_ptr<Capture> capture = weak.lock();
    if (capture == nullptr) return false;
    const bool waits = capture->origin->waits_for_legacy && capture->origin->device == device;
    return waits || is_forbidding(*capture);
  });
}

void push(Streams& all, Queue& queue, Operation operation) {
  hide_destination(all, operation.host_writes);
  std::vector<Position> implicit = implicit_dependencies(all, queue);
  std::move(implicit.begin(), implicit.end(), std::back_inserter(operation.after));
  queue.pending.push_back(std::move(operation));
  ++queue.enqueued;
}

/// A capture that the queue takes part in gets the work; false: it is not captured.
bool capture(const std::shared_ptr<Queue>& queue, Operation& operation) {
  if (queue->capture == nullptr) return false;
  auto& unjoined = queue->capture->unjoined;
  if (queue != queue->capture->origin &&
      std::find(unjoined.begin(), unjoined.end(), queue) == unjoined.end()) {
    unjoined.push_back(queue);
  }
  operation.after.clear();
  queue->capture->operations.push_back(std::move(operation));
  return true;
}

cudaError_t take_failure() {
  Streams& all = streams();
  return all.failures_stay ? all.failed : std::exchange(all.failed, cudaSuccess);
}

/// Under `running`.
void run_up_to(const Position& position) {
  Streams& all = streams();
  while (position.queue->done < position.number) {
    Operation operation;
    {
      const std::lock_guard lock(all.mutex);
      if (position.queue->pending.empty()) return;  // the operation that waits here is itself of this queue
      operation = std::move(position.queue->pending.front());
      position.queue->pending.pop_front();
    }
    for (const Position& before : operation.after) run_up_to(before);
    release_host_memory(operation.host_writes.begin, operation.host_writes.size);
    const cudaError_t status = operation.run();
    const std::lock_guard lock(all.mutex);
    if (status != cudaSuccess && all.failed == cudaSuccess) all.failed = status;
    ++position.queue->done;
  }
}

}  // namespace

std::shared_ptr<Queue> queue_of(cudaStream_t stream) {
  if (stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread) {
    return streams().legacy[static_cast<std::size_t>(current_device())];
  }
  return stream->queue;
}

cudaError_t enqueue(cudaStream_t stream, Operation operation) {
  if (device_count() == 0) return cudaErrorNoDevice;
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  if (all.failures_stay && all.failed != cudaSuccess) return all.failed;
  const auto queue = queue_of(stream);
  if (capture(queue, operation))
    return queue->capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
  if (queue->is_legacy && forbids_legacy(all, queue->device)) return cudaErrorStreamCaptureImplicit;
  push(all, *queue, std::move(operation));
  return cudaSuccess;
}

void set_failures_stay(bool stay) {
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  all.failures_stay = stay;
  if (!stay) all.failed = cudaSuccess;
}

cudaError_t wait_for(const Position& position) {
  Streams& all = streams();
  const std::lock_guard running(all.running);
  run_up_to(position);
  const std::lock_guard lock(all.mutex);
  return take_failure();
}

cudaError_t synchronize(const std::shared_ptr<Queue>& queue) {
  std::uint64_t last = 0;
  {
    const std::lock_guard lock(streams().mutex);
    if (queue->capture != nullptr) {
      queue->capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    last = queue->enqueued;
  }
  return wait_for({queue, last});
}

cudaError_t synchronize_device(int device) {
  Streams& all = streams();
  const std::lock_guard running(all.running);
  std::vector<Position> positions;
  {
    const std::lock_guard lock(all.mutex);
    for (const std::weak_ptr<Queue>& weak : all.queues) {
      const auto queue = weak.lock();
      if (queue != nullptr && queue->device == device) positions.push_back({queue, queue->enqueued});
    }
  }
  // Work of different streams may be done in any order.
  for (std::size_t i = positions.size(); i > 1; --i) {
    std::swap(positions[i - 1], positions[all.random(static_cast<std::uint32_t>(i))]);
  }
  for (const Position& position : positions) run_up_to(position);
  const std::lock_guard lock(all.mutex);
  return take_failure();
}

cudaError_t refuse_during_capture() {
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  return spoil_captures(all, is_forbidding) ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

}  // namespace tpn::cuda_on_cpu

using namespace tpn::cuda_on_cpu;  // NOLINT(google-build-using-namespace): functions of C follow

// --- Streams

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int /*priority*/) {
  if (device_count() == 0) return remember(cudaErrorNoDevice);
  auto queue = std::make_shared<Queue>();
  queue->device = current_device();
  queue->waits_for_legacy = (flags & cudaStreamNonBlocking) == 0;
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.queues, [](const std::weak_ptr<Queue>& weak) { return weak.expired(); });
  all.queues.push_back(queue);
  *stream = std::make_unique<CUstream_st>(CUstream_st{std::move(queue)}).release();
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return cudaStreamCreateWithPriority(stream, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithPriority(stream, 0, 0);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream == nullptr) return remember(cudaErrorInvalidResourceHandle);
  const std::unique_ptr<CUstream_st> owner(stream);
  return remember(synchronize(owner->queue));  // CUDA does the rest later, as it may
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return remember(synchronize(queue_of(stream)));
}

/// The first query after work was enqueued finds it unfinished, the next finished.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const auto queue = queue_of(stream);
  bool pending = false;
  {
    const std::lock_guard lock(streams().mutex);
    pending = queue->done < queue->enqueued;
  }
  const cudaError_t status = synchronize(queue);
  return status == cudaSuccess && pending ? cudaErrorNotReady : remember(status);
}

cudaError_t cudaDeviceSynchronize() {
  if (device_count() == 0) return remember(cudaErrorNoDevice);
  const int device = current_device();
  {
    Streams& all = streams();
    const std::lock_guard lock(all.mutex);
    const auto of_device = [&](const Capture& capture) { return capture.origin->device == device; };
    if (spoil_captures(all, of_device)) return remember(cudaErrorStreamCaptureUnsupported);
  }
  return remember(synchronize_device(device));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned /*flags*/) {
  if (event == nullptr) return remember(cudaErrorInvalidResourceHandle);
  if (event->recorded == nullptr) return cudaSuccess;
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  const auto queue = queue_of(stream);
  const Recorded& recorded = *event->recorded;
  if (recorded.capture != nullptr) {
    if (queue->capture != nullptr && queue->capture != recorded.capture)
      return remember(cudaErrorStreamCaptureUnsupported);
    queue->capture = recorded.capture;
    auto& unjoined = queue->capture->unjoined;
    if (queue == queue->capture->origin) {
      std::erase(unjoined, recorded.position.queue);
    } else if (std::find(unjoined.begin(), unjoined.end(), queue) == unjoined.end()) {
      unjoined.push_back(queue);
    }
    return cudaSuccess;
  }
  if (queue->capture != nullptr) return remember(cudaErrorStreamCaptureUnsupported);
  push(all, *queue, Operation{[] { return cudaSuccess; }, {}, {}, {recorded.position}});
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return remember(enqueue(stream, {[function, data] {
                                     function(data);
                                     return cudaSuccess;
                                   },
                                   {},
                                   {},
                                   {}}));
}

// --- Events

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  if (device_count() == 0) return remember(cudaErrorNoDevice);
  *event = std::make_unique<CUevent_st>(CUevent_st{nullptr, (flags & cudaEventDisableTiming) == 0}).release();
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::unique_ptr<CUevent_st> owner(event);
  return owner == nullptr ? remember(cudaErrorInvalidResourceHandle) : cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (event == nullptr) return remember(cudaErrorInvalidResourceHandle);
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  const auto queue = queue_of(stream);
  auto recorded = std::make_shared<Recorded>();
  event->recorded = recorded;
  recorded->capture = queue->capture;
  if (queue->capture == nullptr) {
    push(all, *queue,
         {[recorded] {
            recorded->time = std::chrono::steady_clock::now();
            recorded->done = true;
            return cudaSuccess;
          },
          {},
          {},
          {}});
  }
  recorded->position = {queue, queue->enqueued};
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event == nullptr) return remember(cudaErrorInvalidResourceHandle);
  if (event->recorded == nullptr) return cudaSuccess;
  if (event->recorded->capture != nullptr) return remember(cudaErrorStreamCaptureUnsupported);
  return remember(wait_for(event->recorded->position));
}

/// As cudaStreamQuery.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (event == nullptr) return remember(cudaErrorInvalidResourceHandle);
  if (event->recorded == nullptr || event->recorded->done) return cudaSuccess;
  const cudaError_t status = cudaEventSynchronize(event);
  return status == cudaSuccess ? cudaErrorNotReady : status;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  for (CUevent_st* event : {start, end}) {
    if (event == nullptr || event->recorded == nullptr || !event->timed)
      return remember(cudaErrorInvalidResourceHandle);
    if (!event->recorded->done) return remember(cudaErrorNotReady);
  }
  *milliseconds =
      std::chrono::duration<float, std::milli>(end->recorded->time - start->recorded->time).count();
  return cudaSuccess;
}

// --- Graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  const auto queue = queue_of(stream);
  if (queue->is_legacy) return remember(cudaErrorStreamCaptureUnsupported);
  if (queue->capture != nullptr) return remember(cudaErrorIllegalState);
  queue->capture = std::make_shared<Capture>();
  queue->capture->origin = queue;
  queue->capture->mode = mode;
  queue->capture->thread = std::this_thread::get_id();
  std::erase_if(all.captures, [](const std::weak_ptr<Capture>& weak) { return weak.expired(); });
  all.captures.push_back(queue->capture);
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  const auto queue = queue_of(stream);
  const std::shared_ptr<Capture> capture = queue->capture;
  *graph = nullptr;
  if (capture == nullptr) return remember(cudaErrorIllegalState);
  if (capture->origin != queue) return remember(cudaErrorStreamCaptureUnmatched);
  for (const std::weak_ptr<Queue>& weak : all.queues) {
    const auto other = weak.lock();
    if (other != nullptr && other->capture == capture) other->capture.reset();
  }
  capture->origin.reset();
  std::erase_if(all.captures, [&](const std::weak_ptr<Capture>& weak) { return weak.lock() == capture; });
  if (capture->invalid) return remember(cudaErrorStreamCaptureInvalidated);
  if (!capture->unjoined.empty()) return remember(cudaErrorStreamCaptureUnjoined);
  *graph = std::make_unique<CUgraph_st>(CUgraph_st{std::move(capture->operations)}).release();
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const std::lock_guard lock(streams().mutex);
  const auto queue = queue_of(stream);
  *status = queue->capture == nullptr ? cudaStreamCaptureStatusNone
            : queue->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                      : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long /*flags*/) {
  if (graph == nullptr) return remember(cudaErrorInvalidValue);
  *executable = std::make_unique<CUgraphExec_st>(CUgraphExec_st{graph->operations}).release();
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  if (graph == nullptr || nodes != nullptr)
    return remember(cudaErrorInvalidValue);  // only the number is emulated
  *count = graph->operations.size();
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (executable == nullptr) return remember(cudaErrorInvalidResourceHandle);
  for (const Operation& operation : executable->operations) {
    const cudaError_t status = enqueue(stream, operation);
    if (status != cudaSuccess) return remember(status);
  }
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const std::unique_ptr<CUgraphExec_st> owner(executable);
  return owner == nullptr ? remember(cudaErrorInvalidResourceHandle) : cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const std::unique_ptr<CUgraph_st> owner(graph);
  return owner == nullptr ? remember(cudaErrorInvalidResourceHandle) : cudaSuccess;
}
