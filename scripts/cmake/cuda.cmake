# Whether the CUDA backend is built, for which devices, and how its files are compiled.

set(TPN_CUDA AUTO CACHE STRING "Build the CUDA backend: ON, OFF, or AUTO (where nvcc is found)")
set(TPN_CUDA_ARCHITECTURES "80-real;86-real;89-real;90a-real;90-virtual" CACHE STRING
    "Devices to compile for, as CMAKE_CUDA_ARCHITECTURES (the last, PTX, is for newer ones); native: this machine's")
set_property(CACHE TPN_CUDA PROPERTY STRINGS ON OFF AUTO)

# The compute capability of this machine's first GPU as an architecture: 90a for 9.0 and so on, since what has
# its own matrix instructions has them under that name only.
function(tpn_native_architecture result)
  execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                  OUTPUT_VARIABLE found ERROR_QUIET RESULT_VARIABLE status)
  if(NOT status EQUAL 0 OR NOT found MATCHES "^([0-9]+)\\.([0-9])")
    message(FATAL_ERROR "nvidia-smi does not tell this machine's GPU: set TPN_CUDA_ARCHITECTURES to its compute "
                        "capability without the dot, for instance 80 or 90a.")
  endif()
  set(architecture ${CMAKE_MATCH_1}${CMAKE_MATCH_2})
  if(architecture GREATER_EQUAL 90)
    string(APPEND architecture a)
  endif()
  set(${result} ${architecture}-real PARENT_SCOPE)
endfunction()

if(NOT TPN_CUDA STREQUAL "OFF")
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(TPN_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin)
    mark_as_advanced(TPN_NVCC)
    if(TPN_NVCC)
      set(CMAKE_CUDA_COMPILER ${TPN_NVCC})
    endif()
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(TPN_CUDA_FOUND ON)
  elseif(TPN_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TPN_CUDA is ON and CUDA's compiler was not found: install the CUDA toolkit, put nvcc on the "
                        "PATH (or set CUDACXX), or configure with -DTPN_CUDA=OFF.")
  else()
    message(STATUS "The CUDA backend is left out: there is no nvcc")
  endif()
endif()

if(TPN_CUDA_FOUND)
  set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
  set(CMAKE_CUDA_ARCHITECTURES ${TPN_CUDA_ARCHITECTURES})
  if(TPN_CUDA_ARCHITECTURES STREQUAL "native")
    tpn_native_architecture(CMAKE_CUDA_ARCHITECTURES)
  endif()
  if(NOT DEFINED CMAKE_CUDA_HOST_COMPILER AND NOT DEFINED ENV{CUDAHOSTCXX})
    set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
  endif()
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # nvcc has it, and CMake before 3.26 does not know
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  find_package(CUDAToolkit REQUIRED)

  # A spill to local memory is an error like a warning: a kernel that needs it was not meant to.
  target_compile_options(tpn_flags INTERFACE
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xptxas=--warn-on-spills;-Xcompiler=-Wall,-Wextra,-Wshadow>")
  if(TPN_WARNINGS_AS_ERRORS)
    target_compile_options(tpn_flags INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
  endif()
  message(STATUS "The CUDA backend is built with ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION} for "
                 "${CMAKE_CUDA_ARCHITECTURES}")
endif()
