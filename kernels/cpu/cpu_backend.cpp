#include "kernels/cpu/cpu_backend.h"

#include <dnnl.hpp>
#include <omp.h>

#include "kernels/cpu/compile.h"

namespace tpn {
namespace {

std::string_view name_of(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "other instruction set";
  }
}

}  // namespace

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

std::string CpuBackend::libraries() const {
  const dnnl::version_t* version = dnnl::version();
  return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch) + " (" + std::string(name_of(dnnl::get_effective_cpu_isa())) + ")";
}

void CpuBackend::enter_thread() const {
  omp_set_num_threads(threads_);
}

}  // namespace tpn
