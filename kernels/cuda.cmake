# The CUDA backend.
include(cuda/sources.cmake)
set(CMAKE_UNITY_BUILD OFF)  # with every CMake: those before 3.31 do not know it of nvcc
if(CMAKE_CUDA_ARCHITECTURES MATCHES "90a")
  add_library(tpn_cuda_hopper OBJECT ${TPN_CUDA_HOPPER_SOURCES})
  target_link_libraries(tpn_cuda_hopper PRIVATE tpn_kernels tpn_flags)
  set_target_properties(tpn_cuda_hopper PROPERTIES CUDA_ARCHITECTURES 90a-real)
  set(hopper_objects $<TARGET_OBJECTS:tpn_cuda_hopper>)
  if(TPN_GPU_ONLY)
    # The same for tests: a wait that does not end traps, instead of hanging the program (Watchdog in device.cuh).
    add_library(tpn_cuda_hopper_watched OBJECT EXCLUDE_FROM_ALL ${TPN_CUDA_HOPPER_SOURCES})
    target_link_libraries(tpn_cuda_hopper_watched PRIVATE tpn_kernels tpn_flags)
    target_compile_definitions(tpn_cuda_hopper_watched PRIVATE TPN_CUDA_WATCHDOG)
    set_target_properties(tpn_cuda_hopper_watched PROPERTIES CUDA_ARCHITECTURES 90a-real)
  endif()
endif()
tpn_layer(cuda SOURCES ${TPN_CUDA_SOURCES} OBJECTS ${hopper_objects} LINKS tpn_kernels
          PRIVATE_LINKS CUDA::cudart_static)
if(hopper_objects)
  target_compile_definitions(tpn_cuda PRIVATE TPN_HAS_WGMMA)
endif()
include(cuda/libraries/libraries.cmake)
include(cuda/build_id.cmake)

# What layers above link: the backend, or in a program whose property TPN_CUDA_ON_CPU is on the same sources on the
# emulated device.
add_library(tpn_cuda_device INTERFACE)
target_link_libraries(tpn_cuda_device
                      INTERFACE $<IF:$<BOOL:$<TARGET_PROPERTY:TPN_CUDA_ON_CPU>>,tpn_cuda_emulated,tpn_cuda>)
