# NVIDIA's libraries, as rivals of the project's kernels and for exchanges between GPUs. Only their headers are needed to build: programs open the
# libraries when they first need them, and run without. Where they were found now is where they are looked for last.

set(TPN_CUDNN AUTO CACHE STRING "Use cuDNN, from 9.8 on: ON, OFF, or AUTO (where its headers are found)")
set(TPN_CUBLASLT AUTO CACHE STRING "Use cuBLASLt: ON, OFF, or AUTO (where its headers are found)")
set(TPN_NCCL AUTO CACHE STRING "Use NCCL: ON, OFF, or AUTO (where its headers are found)")
set_property(CACHE TPN_CUDNN TPN_CUBLASLT TPN_NCCL PROPERTY STRINGS ON OFF AUTO)

include(CheckCXXSourceCompiles)

# tpn_rival(OPTION HEADER NAME LIBRARY SOURCES...): adds the sources to the CUDA backend where the header is found and
# declares the name, which tells whether it is new enough. Then OPTION_USED is set.
function(tpn_rival option header name library)
  set(${option}_USED OFF CACHE INTERNAL "")
  if(${option} STREQUAL "OFF")
    return()
  endif()
  find_path(${option}_HEADERS ${header} HINTS ${CUDAToolkit_INCLUDE_DIRS} ENV CUDNN_ROOT ENV CUDNN_PATH
            PATH_SUFFIXES include)
  # Python's packages have no file without a version.
  find_library(${option}_LIBRARY NAMES ${library} lib${library}.so.9 lib${library}.so.13 lib${library}.so.12 HINTS ${CUDAToolkit_LIBRARY_DIR} ENV CUDNN_ROOT ENV CUDNN_PATH
               PATH_SUFFIXES lib64 lib)
  mark_as_advanced(${option}_HEADERS ${option}_LIBRARY)
  if(NOT ${option}_HEADERS)
    if(${option} STREQUAL "ON")
      message(FATAL_ERROR "${option} is ON and ${header} was not found: set ${option}_HEADERS to its folder, or "
                          "configure with -D${option}=OFF.")
    endif()
    message(STATUS "${library} is left out: there is no ${header}")
    return()
  endif()
  set(CMAKE_REQUIRED_INCLUDES ${${option}_HEADERS} ${CUDAToolkit_INCLUDE_DIRS})
  check_cxx_source_compiles("#include <${header}>\nint main() { return ${name}; }" ${option}_IS_NEW_ENOUGH)
  if(NOT ${option}_IS_NEW_ENOUGH)
    if(${option} STREQUAL "ON")
      message(FATAL_ERROR "${option} is ON and ${${option}_HEADERS}/${header} is too old: it has no ${name}.")
    endif()
    message(STATUS "${library} is left out: ${${option}_HEADERS}/${header} is too old")
    return()
  endif()
  set(folder "")
  if(${option}_LIBRARY)
    get_filename_component(folder ${${option}_LIBRARY} DIRECTORY)
  endif()
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/kernels/cuda/libraries/)
  target_sources(tpn_cuda PRIVATE ${ARGN})
  target_include_directories(tpn_cuda SYSTEM PRIVATE ${${option}_HEADERS})
  target_compile_definitions(tpn_cuda PRIVATE ${option} ${option}_FOLDER="${folder}")
  set(${option}_USED ON CACHE INTERNAL "")
endfunction()

target_sources(tpn_cuda PRIVATE ${PROJECT_SOURCE_DIR}/kernels/cuda/libraries/dynamic_library.cpp)
target_link_libraries(tpn_cuda PRIVATE ${CMAKE_DL_LIBS})
tpn_rival(TPN_CUDNN cudnn_graph.h CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR cudnn cudnn_api.cpp cudnn_conv2d.cpp cudnn_graph.cpp)
tpn_rival(TPN_NCCL nccl.h NCCL_VERSION_CODE nccl nccl_api.cpp nccl_collectives.cpp)
tpn_rival(TPN_CUBLASLT cublasLt.h CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID cublasLt cublaslt_api.cpp cublaslt_gemm.cpp)
