# The sources of the CUDA backend: for nvcc, and for the emulation that the tests run (tests/cuda_on_cpu).
set(TPN_CUDA_SOURCES
    cuda_backend.cpp
    device_info.cpp
    launch.cpp
    memory.cpp
    stream.cpp)
foreach(op IN ITEMS add batch_norm classifier concat conv3d fused_conv3d global_avg_pool level_fusion linear max_pool3d relu softmax temporal_modulation temporal_shift upsample)
  if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/${op}.cu)
    list(APPEND TPN_CUDA_SOURCES ${op}.cu)
  endif()
endforeach()
list(TRANSFORM TPN_CUDA_SOURCES PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
