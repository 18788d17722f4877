#include "kernels/cuda/stream.h"

#include "kernels/cuda/launch.h"

namespace tpn::cuda {
namespace {

/// Gives a handle of CUDA's back. What that returns is ignored: it can only repeat an earlier failure.
template <auto destroy>
struct Destroy {
  template <class Handle>
  void operator()(Handle* handle) const noexcept {
    static_cast<void>(destroy(handle));
  }
};

using OwnedStream = std::unique_ptr<CUstream_st, Destroy<cudaStreamDestroy>>;
using OwnedEvent = std::unique_ptr<CUevent_st, Destroy<cudaEventDestroy>>;
using OwnedGraph = std::unique_ptr<CUgraph_st, Destroy<cudaGraphDestroy>>;
using OwnedGraphExec = std::unique_ptr<CUgraphExec_st, Destroy<cudaGraphExecDestroy>>;

class CudaRecording final : public Recording {
 public:
  explicit CudaRecording(OwnedGraphExec graph) : graph_(std::move(graph)) {}
  void replay(Stream& stream) override {
    check(cudaGraphLaunch(graph_.get(), stream_of(stream)), "starting recorded work");
  }

 private:
  OwnedGraphExec graph_;
};

class CudaMark final : public Mark {
 public:
  explicit CudaMark(cudaStream_t stream) {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event), "creating an event");
    event_.reset(event);
    check(cudaEventRecord(event, stream), "recording an event");
  }

  [[nodiscard]] cudaEvent_t handle() const { return event_.get(); }

  void wait() const override { check(cudaEventSynchronize(event_.get()), "waiting for an event"); }
  [[nodiscard]] double seconds_since(const Mark& earlier) const override {
    float milliseconds = 0;
    wait();
    check(cudaEventElapsedTime(&milliseconds, dynamic_cast<const CudaMark&>(earlier).event_.get(),
                               event_.get()),
          "measuring time");
    return double{milliseconds} / 1e3;
  }

 private:
  OwnedEvent event_;
};

class CudaStream final : public Stream {
 public:
  CudaStream() {
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
    stream_.reset(stream);
  }

  [[nodiscard]] cudaStream_t handle() const { return stream_.get(); }

  void upload(std::byte* device, const std::byte* host, std::size_t bytes) override {
    copy(device, host, bytes, cudaMemcpyHostToDevice, "copying to the device");
  }
  void download(std::byte* host, const std::byte* device, std::size_t bytes) override {
    copy(host, device, bytes, cudaMemcpyDeviceToHost, "copying from the device");
  }
  void clear(std::byte* device, std::size_t bytes) override {
    if (bytes > 0) check(cudaMemsetAsync(device, 0, bytes, handle()), "clearing memory");
  }

  void synchronize() override { check(cudaStreamSynchronize(handle()), "running what was enqueued"); }

  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    const OwnedGraph graph = capture(work);
    cudaGraphExec_t executable = nullptr;
    check(cudaGraphInstantiate(&executable, graph.get(), 0), "preparing recorded work");
    return std::make_unique<CudaRecording>(OwnedGraphExec(executable));
  }

  std::unique_ptr<Mark> mark() override { return std::make_unique<CudaMark>(handle()); }
  void wait_for(const Mark& mark) override {
    check(cudaStreamWaitEvent(handle(), dynamic_cast<const CudaMark&>(mark).handle(), 0),
          "letting a stream wait for another");
  }

 private:
  void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, const char* what) {
    if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, kind, handle()), what);
  }

  OwnedGraph end_capture(cudaError_t& status) {
    cudaGraph_t graph = nullptr;
    status = cudaStreamEndCapture(handle(), &graph);
    return OwnedGraph(graph);
  }

  OwnedGraph capture(const std::function<void()>& work) {
    // Of this thread only: others may allocate meanwhile.
    check(cudaStreamBeginCapture(handle(), cudaStreamCaptureModeThreadLocal), "beginning to record work");
    cudaError_t status = cudaSuccess;
    try {
      work();
    } catch (...) {
      end_capture(status);
      cudaGetLastError();
      throw;
    }
    OwnedGraph graph = end_capture(status);
    check(status, "recording work");
    return graph;
  }

  OwnedStream stream_;
};

}  // namespace

std::unique_ptr<Stream> make_stream() {
  return std::make_unique<CudaStream>();
}

cudaStream_t stream_of(Stream& stream) {
  return dynamic_cast<CudaStream&>(stream).handle();
}

}  // namespace tpn::cuda
