# tpn_cuda_build_id.h defines TPN_CUDA_BUILD_ID, which changes when the kernels or what compiles them do: what trials
# found out about one build is not held to be true of another.
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cuh
     ${PROJECT_SOURCE_DIR}/kernels/cuda/*.h ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cpp
     ${PROJECT_SOURCE_DIR}/kernels/cuda/libraries/*.h ${PROJECT_SOURCE_DIR}/kernels/cuda/libraries/*.cpp)
set(header ${CMAKE_CURRENT_BINARY_DIR}/generated/tpn_cuda_build_id.h)
add_custom_command(
  OUTPUT ${header}
  COMMAND ${CMAKE_COMMAND} "-DSOURCES=${sources}" -DHEADER=${header}
          "-DCOMPILER=${CMAKE_CUDA_COMPILER_VERSION} ${CMAKE_CUDA_FLAGS} ${CMAKE_CUDA_ARCHITECTURES}"
          -P ${PROJECT_SOURCE_DIR}/scripts/cmake/write_build_id.cmake
  DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/scripts/cmake/write_build_id.cmake
  COMMENT "Hashing the CUDA kernels' sources" VERBATIM)
target_sources(tpn_cuda PRIVATE ${header})
target_include_directories(tpn_cuda PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)
