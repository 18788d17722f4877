# How every file of this project is compiled and linked: warnings, sanitizers, and what makes builds quick.
# Nothing here is installed.

add_library(tpn_flags INTERFACE)
target_include_directories(tpn_flags INTERFACE ${PROJECT_SOURCE_DIR})
# Options of C++ sources; cuda.cmake has those of CUDA's.
function(tpn_cxx_options)
  foreach(option IN LISTS ARGN)
    target_compile_options(tpn_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${option}>)
  endforeach()
endfunction()
tpn_cxx_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  tpn_cxx_options(-Wno-restrict)  # false alarms on std::string + (GCC bug 105651)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  tpn_cxx_options(-Wno-subobject-linkage)  # takes a source that another includes for a header
endif()
if(TPN_WARNINGS_AS_ERRORS)
  tpn_cxx_options(-Werror)
endif()

if(TPN_SANITIZE)
  tpn_cxx_options(-fsanitize=${TPN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(tpn_flags INTERFACE -fsanitize=${TPN_SANITIZE})
endif()

# For what computes, linked behind tpn_flags: without three checks of undefined behaviour that take four times as long to
# compile in loops over tensors. Where memory is touched, the address sanitizer finds what they would.
add_library(tpn_loop_checks INTERFACE)
if(TPN_SANITIZE MATCHES "undefined")
  target_compile_options(tpn_loop_checks INTERFACE -fno-sanitize=null,object-size,pointer-overflow)
endif()

if(TPN_BUILD_FUZZERS AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "TPN_BUILD_FUZZERS needs clang: configure with the preset asan.")
endif()

if(PROJECT_IS_TOP_LEVEL)
  find_program(TPN_CCACHE ccache)
  if(TPN_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${TPN_CCACHE})
  endif()
  if(TPN_CCACHE AND NOT DEFINED CMAKE_CUDA_COMPILER_LAUNCHER)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${TPN_CCACHE})
  endif()

  # mold links the test programs several times faster than GNU ld.
  find_program(TPN_MOLD mold)
  if(TPN_MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()
