#include "kernels/cpu/cpu_backend.h"

#include <dnnl.hpp>
#include <omp.h>

#include "kernels/cpu/compile.h"

namespace tpn {

CpuBackend::CpuBackend(int threads) : threads_(threads > 0 ? threads : omp_get_num_procs()) {}

bool CpuBackend::supports(DType dtype) const {
  if (dtype == DType::f32) return true;
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  return dtype == DType::bf16 && isa >= dnnl::cpu_isa::avx512_core && isa != dnnl::cpu_isa::avx2_vnni;
}

std::unique_ptr<Kernel> CpuBackend::compile(const AnyOp& op, std::span<const Operand> inputs,
                                            std::span<const Operand> outputs,
                                            PreparedWeights& prepared) const {
  enter_thread();  // what is compiled depends on the number of threads
  return std::visit([&](const auto& o) { return cpu::compile(o, {inputs, outputs, prepared}); }, op);
}

void CpuBackend::enter_thread() const {
  omp_set_num_threads(threads_);
}

}  // namespace tpn
