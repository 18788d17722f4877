# The sources of the CUDA backend: for nvcc, and for the emulation that the tests run (tests/cuda_on_cpu).
set(TPN_CUDA_SOURCES
    add.cu
    batch_norm.cu
    classifier.cu
    concat.cu
    conv3d_data_gradient.cpp
    conv3d_weight_gradient.cpp
    conv_boxes.cpp
    conv_data_gradient_form.cpp
    conv_form.cpp
    conv_gap_zeros.cu
    conv_product.cpp
    conv_schedule.cpp
    conv_split_sum.cu
    conv_weights.cu
    cuda_backend.cpp
    device_info.cpp
    fused_conv3d.cpp
    global_avg_pool.cu
    launch.cpp
    level_fusion.cu
    libraries/libraries.cpp
    libraries/library_shapes.cpp
    libraries/library_weights.cpp
    linear.cu
    make_views.cu
    max_pool3d.cu
    memory.cpp
    mma_conv3d_bf16.cu
    mma_conv3d_f16.cu
    mma_conv3d_tf32.cu
    operand_layout.cpp
    packing.cu
    plain_conv3d.cu
    plain_conv3d_gradients.cu
    relu.cu
    selection.cpp
    simt_conv3d.cu
    softmax.cu
    stream.cpp
    temporal_modulation.cu
    temporal_shift.cu
    tensor_map.cpp
    trial.cpp
    trial_kernels.cu
    upsample.cu
    view_scores.cu)
list(TRANSFORM TPN_CUDA_SOURCES PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
# Those that only Hopper runs, for whose files nvcc has an architecture of its own.
set(TPN_CUDA_HOPPER_SOURCES wgmma_conv3d_bf16.cu wgmma_conv3d_f16.cu)
list(TRANSFORM TPN_CUDA_HOPPER_SOURCES PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
