# The CPU backend: the only folder that uses oneDNN.
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(dnnl REQUIRED)

tpn_layer(
  cpu
  SOURCES cpu/accumulate.cpp
          cpu/add.cpp
          cpu/all_gather.cpp
          cpu/available_memory.cpp
          cpu/batch_norm.cpp
          cpu/batch_norm_rows.cpp
          cpu/batch_norm_synchronized.cpp
          cpu/batch_norm_training.cpp
          cpu/bf16_instructions.cpp
          cpu/bf16_speed.cpp
          cpu/channel_slice.cpp
          cpu/concat.cpp
          cpu/contention.cpp
          cpu/conv3d_gradient.cpp
          cpu/conv3d_product.cpp
          cpu/conv_form2d.cpp
          cpu/cpu_backend.cpp
          cpu/cross_entropy.cpp
          cpu/dropout.cpp
          cpu/fused_conv3d.cpp
          cpu/global_avg_pool.cpp
          cpu/global_avg_pool_gradient.cpp
          cpu/linear.cpp
          cpu/linear_gradient.cpp
          cpu/max_pool3d.cpp
          cpu/max_pool3d_gradient.cpp
          cpu/moving_average.cpp
          cpu/one_thread_kernel.cpp
          cpu/onednn.cpp
          cpu/patch_conv3d.cpp
          cpu/pixel_rows.cpp
          cpu/processors.cpp
          cpu/relu.cpp
          cpu/relu_gradient.cpp
          cpu/sgd.cpp
          cpu/softmax.cpp
          cpu/temporal_shift.cpp
          cpu/trial_threads.cpp
          cpu/upsample.cpp
          cpu/upsample_gradient.cpp
          cpu/view_scores.cpp
          cpu/widened_kernel.cpp
          cpu/winograd_avx2.cpp
          cpu/winograd_avx512.cpp
          cpu/winograd_avx512_bf16.cpp
          cpu/winograd_conv3d.cpp
  LINKS tpn_kernels
  PRIVATE_LINKS OpenMP::OpenMP_CXX DNNL::dnnl)
# Chosen by what the processor has when a program runs.
set_source_files_properties(cpu/bf16_instructions.cpp PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bf16")
set_source_files_properties(cpu/winograd_avx2.cpp PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
set_source_files_properties(cpu/winograd_avx512.cpp PROPERTIES COMPILE_OPTIONS "-mavx512f;-mfma")
set_source_files_properties(cpu/winograd_avx512_bf16.cpp PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512bf16;-mfma")
target_link_libraries(tpn_cpu PRIVATE $<BUILD_INTERFACE:tpn_loop_checks>)
if(TPN_SANITIZE)
  target_compile_definitions(tpn_cpu PRIVATE TPN_SANITIZED)
endif()
