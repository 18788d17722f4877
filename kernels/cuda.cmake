# The CUDA backend.
include(cuda/sources.cmake)
tpn_layer(cuda SOURCES ${TPN_CUDA_SOURCES} LINKS tpn_kernels PRIVATE_LINKS CUDA::cudart_static)
include(cuda/libraries/libraries.cmake)
include(cuda/build_id.cmake)

# What layers above link: the backend, or in a program whose property TPN_CUDA_ON_CPU is on the same sources on the
# emulated device.
add_library(tpn_cuda_device INTERFACE)
target_link_libraries(tpn_cuda_device
                      INTERFACE $<IF:$<BOOL:$<TARGET_PROPERTY:TPN_CUDA_ON_CPU>>,tpn_cuda_emulated,tpn_cuda>)
