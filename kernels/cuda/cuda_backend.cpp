#include "kernels/cuda/cuda_backend.h"

#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/make_views.h"
#include "kernels/cuda/selection.h"
#include "kernels/cuda/stream.h"
#include "kernels/preprocess/view_maker.h"

namespace tpn {
namespace {

/// Whether CUDA has code for operations of that type.
template <class Op>
concept HasKernel = requires(const Op& op, const Signature& signature) {
  cuda::compile(op, signature);  // declared in compile.h
};

}  // namespace

CudaBackend::CudaBackend(CudaOptions options)
    : options_(std::move(options)), device_(cuda::device_info(options_.device)) {
  if (!options_.trials) return;
  constexpr double warm_seconds = 0.3;  // idle clocks are a fifth of the full ones, and take a while to rise
  cuda::SelectionContext context;
  if (options_.libraries == CudaLibraries::automatic) context.libraries = cuda::libraries();
  context.identity = cuda::selection_identity(device_, context.libraries);
  context.trial_seconds = options_.trial_seconds;
  context.warm_seconds = device_.emulated ? 0 : warm_seconds;
  context.store = options_.selections ? options_.selections : std::make_shared<SelectionStore>();
  selector_ = std::make_unique<cuda::KernelSelector>(std::move(context));
}

CudaBackend::~CudaBackend() = default;

bool CudaBackend::supports(DType dtype) const {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

bool CudaBackend::supports(const AnyOp& op) const {
  return std::visit([]<class Op>(const Op&) { return HasKernel<Op>; }, op);
}

std::unique_ptr<Kernel> CudaBackend::compile(const AnyOp& op, const Signature& signature) const {
  enter_thread();  // kernels have tables in the device's memory
  return std::visit(
      [&]<class Op>(const Op& o) -> std::unique_ptr<Kernel> {
        if constexpr (requires { selector_->select(o, signature); }) {
          return selector_ ? selector_->select(o, signature) : cuda::compile(o, signature);
        } else if constexpr (HasKernel<Op>) {
          return cuda::compile(o, signature);
        } else {
          throw Error("The device 'cuda' does not run the operation " + std::string(Op::name) + ".");
        }
      },
      op);
}

void CudaBackend::finish_compiling() const {
  if (options_.on_compiled && options_.selections) options_.on_compiled(*options_.selections);
}

std::string CudaBackend::memory_name() const {
  return "cuda:" + std::to_string(device_.index);
}

Buffer CudaBackend::allocate(std::size_t bytes) const {
  enter_thread();
  return cuda::allocate_device(bytes);
}

Buffer CudaBackend::allocate_staging(std::size_t bytes) const {
  enter_thread();
  return cuda::allocate_pinned(bytes);
}

std::unique_ptr<Stream> CudaBackend::make_stream() const {
  enter_thread();
  return cuda::make_stream();
}

std::size_t CudaBackend::free_memory() const {
  enter_thread();
  return cuda::free_device_memory();
}

std::unique_ptr<ViewMaker> CudaBackend::make_view_maker() const {
  return std::make_unique<ViewMaker>(*this, cuda::make_views);
}

std::vector<LaunchReport> CudaBackend::observe(const std::function<void()>& work) const {
  enter_thread();
  return cuda::observe_launches(work);
}

std::string CudaBackend::libraries() const {
  return "CUDA " + cuda::runtime_version() + " (driver " + cuda::driver_version() + ") on " + device_.name;
}

void CudaBackend::enter_thread() const {
  cuda::check(cudaSetDevice(device_.index), "choosing the device " + std::to_string(device_.index));
}

}  // namespace tpn
