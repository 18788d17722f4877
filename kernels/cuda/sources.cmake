# The sources of the CUDA backend: for nvcc, and for the emulation that the tests run (tests/cuda_on_cpu).
set(TPN_CUDA_SOURCES
    conv_form.cpp
    conv_schedule.cpp
    conv_split_sum.cu
    conv_weights.cpp
    cuda_backend.cpp
    device_info.cpp
    fused_conv3d.cpp
    launch.cpp
    memory.cpp
    mma_conv3d_bf16.cu
    mma_conv3d_f16.cu
    mma_conv3d_tf32.cu
    plain_conv3d.cu
    simt_conv3d.cu
    stream.cpp)
foreach(op IN ITEMS add batch_norm classifier concat global_avg_pool level_fusion linear max_pool3d relu softmax temporal_modulation temporal_shift upsample)
  if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/${op}.cu)
    list(APPEND TPN_CUDA_SOURCES ${op}.cu)
  endif()
endforeach()
list(TRANSFORM TPN_CUDA_SOURCES PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
