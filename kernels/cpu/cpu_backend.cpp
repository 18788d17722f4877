#include "kernels/cpu/cpu_backend.h"

#include <concepts>
#include <optional>
#include <string>

#include <omp.h>

#include "kernels/cpu/available_memory.h"
#include "kernels/cpu/compile.h"
#include "kernels/cpu/contention.h"
#include "kernels/cpu/one_thread_kernel.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/processors.h"
#include "kernels/cpu/trial_threads.h"

namespace tpn {

CpuBackend::CpuBackend(int threads, bool deterministic)
    : threads_(threads == 0 ? cpu::default_threads() : threads), deterministic_(deterministic) {
  if (threads < 0 || threads > cpu::most_threads()) {
    throw Error("The number of threads must be between 0 and " + std::to_string(cpu::most_threads()) +
                " on this machine, but is " + std::to_string(threads) + ".");
  }
  if (threads == 0) {
    threads_ = cpu::try_threads(threads_);
  } else {
    cpu::require_threads(threads_);
  }
}

bool CpuBackend::supports(DType dtype) const {
  if (dtype == DType::f32) return true;
  return dtype == DType::bf16 && cpu::computes_with(dnnl::cpu_isa::avx512_core);
}

namespace {

/// Whether the CPU has code for operations of that type.
template <class Op>
concept HasKernel = requires(const Op& op, const Signature& signature) {
  cpu::compile(op, signature);  // declared in compile.h
};

/// Whether threads share the sums of an operation, so that their number decides how these are rounded.
template <class Op>
constexpr bool divides_sums =
    std::same_as<Op, ops::Conv3d> || std::same_as<Op, ops::FusedConv3d> ||
    std::same_as<Op, ops::Conv3dDataGradient> || std::same_as<Op, ops::Conv3dWeightGradient>;

}  // namespace

bool CpuBackend::supports(const AnyOp& op) const {
  if (const auto* conv = std::get_if<ops::FusedConv3d>(&op)) {
    return conv->shift_fold == 0 && !conv->one_frame_residual;
  }
  if (const auto* gather = std::get_if<ops::AllGather>(&op)) return gather->ranks == 1;
  return std::visit([]<class Op>(const Op&) { return HasKernel<Op>; }, op);
}

std::unique_ptr<Kernel> CpuBackend::compile(const AnyOp& op, const Signature& signature) const {
  enter_thread();  // what is compiled depends on the number of threads
  cpu::notice_contention();
  return std::visit(
      [&]<class Op>(const Op& o) -> std::unique_ptr<Kernel> {
        if constexpr (HasKernel<Op>) {
          const auto compile = [&] { return cpu::compile(o, signature); };
          if (supports(op))
            return deterministic_ && divides_sums<Op> ? cpu::with_one_thread(compile) : compile();
        }
        throw Error("The device 'cpu' does not run this form of the operation " + std::string(Op::name) +
                    ".");
      },
      op);
}

std::string CpuBackend::libraries() const {
  const dnnl::version_t* version = dnnl::version();
  return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch) + " (" + std::string(cpu::name_of(dnnl::get_effective_cpu_isa())) +
         ")";
}

Buffer CpuBackend::allocate(std::size_t bytes) const {
  constexpr std::size_t small = std::size_t{256} << 20U;
  if (bytes > small) {
    const std::optional<std::size_t> available = cpu::available_memory();
    if (available && bytes > *available) {
      throw OutOfMemory("Out of memory: " + std::to_string(bytes >> 20U) + " MiB are needed and " +
                        std::to_string(*available >> 20U) + " MiB are left.");
    }
  }
  return HostBuffer(bytes);
}

void CpuBackend::enter_thread() const {
  thread_local int started = 1;
  omp_set_num_threads(threads_);
  if (threads_ <= started) return;
  cpu::require_threads(threads_);
  started = threads_;
  cpu::start_pool(threads_);
}

}  // namespace tpn
