#include "kernels/cuda/libraries/cudnn_conv2d.h"

#include <array>
#include <map>
#include <mutex>
#include <utility>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/libraries/cudnn_graph.h"
#include "kernels/cuda/libraries/library_weights.h"
#include "kernels/cuda/packing.h"
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

std::int64_t element_count(const Images& i) {
  return i.images * i.height * i.width * i.channels;
}

/// Products for an element of y.
std::int64_t depth_of(const Conv2dShape& shape) {
  return shape.kernel[0] * shape.kernel[1] * shape.x.channels / shape.groups;
}

std::int64_t weight_elements(const Conv2dShape& shape) {
  return shape.y.channels * depth_of(shape);
}

KernelWork work_of(const Conv2dShape& shape) {
  const std::int64_t residual = shape.residual ? element_count(shape.residual_images) : 0;
  return {(element_count(shape.x) + element_count(shape.y) + residual + weight_elements(shape)) *
              static_cast<std::int64_t>(size_of(shape.dtype)),
          element_count(shape.y) * depth_of(shape)};
}

class CudnnKernel final : public Kernel {
 public:
  /// packing: null for the gradient of a weight.
  CudnnKernel(const CudnnApi& api, std::shared_ptr<const CudnnContext> context,
              const std::shared_ptr<const LibraryPacking>& packing, const Conv2dShape& shape, ConvPlan plan,
              KernelWork work)
      : api_(api),
        context_(std::move(context)),
        bias_offset_(packing ? packing->bias_offset() : 0),
        packing_(packing),
        shape_(shape),
        plan_(std::move(plan)),
        work_(work) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return {&packing_, packing_ ? std::size_t{1} : 0};
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    switch (shape_.pass) {
      case ConvPass::forward: {
        std::vector<Bound> bound{{ConvTensor::x, inputs[0].data},
                                 {ConvTensor::weights, packed[0]},
                                 {ConvTensor::y, outputs[0].data}};
        if (shape_.bias) bound.push_back({ConvTensor::bias, packed[0] + bias_offset_});
        if (shape_.residual) bound.push_back({ConvTensor::residual, inputs.back().data});
        return execute(bound, scratch, stream);
      }
      case ConvPass::data_gradient:
        return execute(std::vector<Bound>{{ConvTensor::y, inputs[0].data},
                                          {ConvTensor::weights, packed[0]},
                                          {ConvTensor::x, outputs[0].data}},
                       scratch, stream);
      case ConvPass::weight_gradient: {
        std::byte* gradient = scratch + workspace_bytes();
        execute(std::vector<Bound>{{ConvTensor::x, inputs[0].data},
                                   {ConvTensor::y, inputs[1].data},
                                   {ConvTensor::weights, gradient}},
                scratch, stream);
        enqueue_inverse_permutation(library_order(outputs[0].shape, shape_.groups),
                                    reinterpret_cast<const float*>(gradient), elements<float>(outputs[0]),
                                    stream_of(stream));
      }
    }
  }

  [[nodiscard]] std::size_t scratch_bytes() const override {
    if (shape_.pass != ConvPass::weight_gradient) return plan_.workspace;
    return workspace_bytes() + static_cast<std::size_t>(weight_elements(shape_)) * sizeof(float);
  }
  [[nodiscard]] std::string implementation() const override { return plan_.name; }
  [[nodiscard]] KernelWork work() const override { return work_; }

 private:
  /// A tensor of the plan and where it is.
  struct Bound {
    ConvTensor which;
    const void* data;
  };

  /// Of the plan, before the gradient of a weight in the library's order.
  [[nodiscard]] std::size_t workspace_bytes() const {
    return (plan_.workspace + part_alignment - 1) / part_alignment * part_alignment;
  }

  void execute(std::span<const Bound> bound, const std::byte* scratch, Stream& stream) const {
    std::vector<std::int64_t> numbers;
    std::vector<const void*> pointers;
    for (const auto& [which, data] : bound) {
      numbers.push_back(static_cast<std::int64_t>(which));
      pointers.push_back(data);
    }
    const void* workspace = plan_.workspace > 0 ? scratch : nullptr;
    CudnnDescriptor tensors(api_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    tensors.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, std::span<const std::int64_t>(numbers));
    tensors.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
                std::span<const void* const>(pointers));
    tensors.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
    tensors.finalize("binding tensors");
    context_->execute(plan_.plan, tensors, stream_of(stream), plan_.name);
  }

  const CudnnApi& api_;
  std::shared_ptr<const CudnnContext> context_;
  std::size_t bias_offset_;
  std::shared_ptr<const Packing> packing_;
  Conv2dShape shape_;
  ConvPlan plan_;
  KernelWork work_;
};

}  // namespace

std::vector<std::unique_ptr<Kernel>> cudnn_candidates(const AnyOp& op, const Signature& signature,
                                                      std::string_view only) {
  std::vector<std::unique_ptr<Kernel>> kernels;
  const std::optional<LibraryOperation> operation = library_operation(op, signature);
  if (!operation) return kernels;
  const Result<Conv2dShape> shape = conv2d_shape(*operation);
  if (!shape || !cudnn_api()) return kernels;
  const CudnnApi& api = *cudnn_api();
  const auto context = current_context(api);
  std::vector<ConvPlan> plans = conv2d_plans(api, *shape, context->device(), most_candidates, only);
  if (plans.empty()) return kernels;
  const auto packing = operation->pass == ConvPass::weight_gradient
                           ? nullptr
                           : std::make_shared<const LibraryPacking>(operation->op, signature);
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
