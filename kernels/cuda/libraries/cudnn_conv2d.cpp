#include "kernels/cuda/libraries/cudnn_conv2d.h"

#include <array>
#include <map>
#include <mutex>
#include <utility>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/libraries/cudnn_graph.h"
#include "kernels/cuda/libraries/library_weights.h"
#include "kernels/cuda/stream.h"

namespace tpn::cuda {
namespace {

constexpr std::size_t most_candidates = 4;

/// What all of cuDNN's kernels on a device share. Its handle belongs to one call at a time: enqueuing a
/// kernel takes microseconds.
class CudnnContext {
 public:
  /// On the current device.
  explicit CudnnContext(const CudnnApi& api)
      : api_(api), handle_(make_handle(api)), device_(cudnn_device(api, handle_.get())) {}

  [[nodiscard]] const CudnnDescriptor& device() const { return device_; }

  void execute(const CudnnDescriptor& plan, const CudnnDescriptor& tensors, cudaStream_t stream,
               const std::string& name) const {
    const std::lock_guard lock(mutex_);
    api_.check(api_.set_stream(handle_.get(), stream), "choosing a stream");
    api_.check(api_.execute(handle_.get(), plan.get(), tensors.get()), "starting the kernel " + name);
  }

 private:
  struct Destroy {
    decltype(CudnnApi::destroy) destroy;
    void operator()(cudnnContext* handle) const noexcept { static_cast<void>(destroy(handle)); }
  };
  using OwnedHandle = std::unique_ptr<cudnnContext, Destroy>;

  static OwnedHandle make_handle(const CudnnApi& api) {
    cudnnHandle_t handle = nullptr;
    api.check(api.create(&handle), "starting");
    return {handle, Destroy{api.destroy}};
  }

  const CudnnApi& api_;
  OwnedHandle handle_;
  CudnnDescriptor device_;
  mutable std::mutex mutex_;
};

/// That of the current device; it lives as long as a kernel uses it.
std::shared_ptr<const CudnnContext> current_context(const CudnnApi& api) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<const CudnnContext>> contexts;
  int device = 0;
  check(cudaGetDevice(&device), "asking for the current device");
  const std::lock_guard lock(mutex);
  std::weak_ptr<const CudnnContext>& slot = contexts[device];
  std::shared_ptr<const CudnnContext> context = slot.lock();
  if (!context) slot = context = std::make_shared<const CudnnContext>(api);
  return context;
}

class CudnnKernel final : public Kernel {
 public:
  CudnnKernel(const CudnnApi& api, std::shared_ptr<const CudnnContext> context,
              std::shared_ptr<const LibraryPacking> packing, const Conv2dShape& shape, ConvPlan plan,
              KernelWork work)
      : api_(api),
        context_(std::move(context)),
        bias_offset_(packing->bias_offset()),
        packing_(std::move(packing)),
        shape_(shape),
        plan_(std::move(plan)),
        work_(work) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return {&packing_, 1};
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    std::vector<std::int64_t> numbers;
    std::vector<const void*> pointers;
    const auto bind = [&](ConvTensor which, const void* data) {
      numbers.push_back(static_cast<std::int64_t>(which));
      pointers.push_back(data);
    };
    bind(ConvTensor::x, inputs[0].data);
    bind(ConvTensor::weights, packed[0]);
    bind(ConvTensor::y, outputs[0].data);
    if (shape_.bias) bind(ConvTensor::bias, packed[0] + bias_offset_);
    if (shape_.residual) bind(ConvTensor::residual, inputs.back().data);
    const void* workspace = plan_.workspace > 0 ? scratch : nullptr;

    CudnnDescriptor tensors(api_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    tensors.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, std::span<const std::int64_t>(numbers));
    tensors.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
                std::span<const void* const>(pointers));
    tensors.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
    tensors.finalize("binding tensors");
    context_->execute(plan_.plan, tensors, stream_of(stream), plan_.name);
  }

  [[nodiscard]] std::size_t scratch_bytes() const override { return plan_.workspace; }
  [[nodiscard]] std::string implementation() const override { return plan_.name; }
  [[nodiscard]] KernelWork work() const override { return work_; }

 private:
  const CudnnApi& api_;
  std::shared_ptr<const CudnnContext> context_;
  std::size_t bias_offset_;
  std::shared_ptr<const Packing> packing_;
  Conv2dShape shape_;
  ConvPlan plan_;
  KernelWork work_;
};

std::int64_t elements(const Images& i) {
  return i.images * i.height * i.width * i.channels;
}

KernelWork work_of(const Conv2dShape& shape) {
  const std::int64_t depth = shape.kernel[0] * shape.kernel[1] * shape.x.channels / shape.groups;
  const std::int64_t residual = shape.residual ? elements(shape.residual_images) : 0;
  return {(elements(shape.x) + elements(shape.y) + residual + shape.y.channels * depth) *
              static_cast<std::int64_t>(size_of(shape.dtype)),
          elements(shape.y) * depth};
}

}  // namespace

std::vector<std::unique_ptr<Kernel>> cudnn_candidates(const ops::FusedConv3d& op, const Signature& signature,
                                                      std::string_view only) {
  std::vector<std::unique_ptr<Kernel>> kernels;
  const Result<Conv2dShape> shape = conv2d_shape(op, signature);
  if (!shape || !cudnn_api()) return kernels;
  const CudnnApi& api = *cudnn_api();
  const auto context = current_context(api);
  std::vector<ConvPlan> plans = conv2d_plans(api, *shape, context->device(), most_candidates, only);
  if (plans.empty()) return kernels;
  const auto packing = std::make_shared<const LibraryPacking>(op, signature);
  for (ConvPlan& plan : plans) {
    kernels.push_back(
        std::make_unique<CudnnKernel>(api, context, packing, *shape, std::move(plan), work_of(*shape)));
  }
  return kernels;
}

std::string cudnn_version() {
  if (!cudnn_api()) return {};
  const std::size_t version = cudnn_api()->version();
  return "cuDNN " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace tpn::cuda
