// That tiles of convolutions get the room on a multiprocessor that they were made for. On the emulated device
// shared memory and threads decide that; on a GPU registers do too.
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "kernels/cuda/conv_variants.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/fused_conv3d.h"
#include "kernels/cuda/launch.h"

namespace tpn::cuda {
namespace {

TEST(ResidentBlocks, AreThoseThatTilesWereMadeFor) {
  const CudaBackend backend;
  backend.enter_thread();
  const int shared = device_attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, current_device());
  const int reserved = device_attribute(cudaDevAttrReservedSharedMemoryPerBlock, current_device());
  const int most = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, current_device());
  const int major = device_attribute(cudaDevAttrComputeCapabilityMajor, current_device());
  int checked = 0;
  for (const ConvType type : {ConvType::f32, ConvType::tf32, ConvType::f16, ConvType::bf16}) {
    for (const ConvVariant& variant : conv_variants(type)) {
      const ConvTile& tile = variant.tile;
      if (tile.shared_bytes > most || (tile.boxes && major != 9)) continue;
      const std::string name = std::to_string(tile.rows) + "x" + std::to_string(tile.columns);
      const auto* kernel = tile.boxes ? reinterpret_cast<const void*>(variant.box_kernel)
                                      : reinterpret_cast<const void*>(variant.kernel);
      const auto bytes = static_cast<std::size_t>(tile.shared_bytes);
      // Devices with less shared memory than an H100 have room for fewer blocks of some tiles.
      const int expected = std::min(tile.resident, shared / (tile.shared_bytes + reserved));
      EXPECT_GE(resident_blocks(name.c_str(), kernel, tile.threads, bytes), expected) << name;
      cudaFuncAttributes attributes{};
      check(cudaFuncGetAttributes(&attributes, kernel), "asking for the attributes of " + name);
      if (bytes > std::size_t{32} << 10) {  // otherwise several fit however the memory is divided
        EXPECT_EQ(attributes.preferredShmemCarveout, cudaSharedmemCarveoutMaxShared) << name;
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 0);
}

}  // namespace
}  // namespace tpn::cuda
