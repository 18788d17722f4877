// dump_primitives FILE: writes what this machine's GPU gives, or the emulated device, for
// tests/data/cuda_primitives.
#include <exception>
#include <iostream>

#include "kernels/cuda/cuda_backend.h"
#include "tests/cuda_primitives/primitives.h"

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw tpn::Error("usage: dump_primitives FILE");
    const tpn::CudaBackend backend;
    backend.enter_thread();
    tpn::test::write_primitives(tpn::test::run_primitives(), backend.device().name, argv[1]);
  } catch (const std::exception& e) {
    std::cerr << "dump_primitives: " << e.what() << '\n';
    return 1;
  }
}
