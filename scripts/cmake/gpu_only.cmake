# The target tpn_gpu: what is tested and timed on a machine with a GPU, from the source tree alone. Of other software it
# needs GoogleTest and nlohmann/json, which may lie anywhere:
set(TPN_GTEST "" CACHE PATH "GoogleTest, where it is not installed: its sources, or the prefix of an installation")
set(TPN_JSON "" CACHE PATH "nlohmann/json, where it is not installed: a folder with (include/)nlohmann/json.hpp")

set(TPN_CUDA ON)
set(TPN_BUILD_TESTS ON)
include(scripts/cmake/cuda.cmake)
include(scripts/cmake/targets.cmake)
enable_testing()

# From sources, wherever Debian's package, the release or its inner folder was unpacked; else an installation.
find_path(TPN_GTEST_SOURCES src/gtest-all.cc HINTS ${TPN_GTEST} PATHS /usr/src/googletest /usr/src/gtest
          PATH_SUFFIXES googletest NO_DEFAULT_PATH)
list(APPEND CMAKE_PREFIX_PATH ${TPN_GTEST})
find_package(GTest QUIET)
if(NOT TARGET GTest::gtest_main AND TPN_GTEST_SOURCES)
  add_library(gpu_gtest STATIC ${TPN_GTEST_SOURCES}/src/gtest-all.cc ${TPN_GTEST_SOURCES}/src/gtest_main.cc)
  target_include_directories(gpu_gtest SYSTEM PUBLIC ${TPN_GTEST_SOURCES}/include PRIVATE ${TPN_GTEST_SOURCES})
  target_link_libraries(gpu_gtest PUBLIC Threads::Threads)
  add_library(GTest::gtest_main ALIAS gpu_gtest)
endif()
if(NOT TARGET GTest::gtest_main)
  message(FATAL_ERROR "GoogleTest was not found: set TPN_GTEST to its sources or to where it is installed.")
endif()

list(APPEND CMAKE_PREFIX_PATH ${TPN_JSON})
find_package(nlohmann_json 3.9 QUIET)
if(NOT TARGET nlohmann_json::nlohmann_json)
  find_path(TPN_JSON_INCLUDE nlohmann/json.hpp HINTS ${TPN_JSON} PATH_SUFFIXES include single_include)
  if(NOT TPN_JSON_INCLUDE)
    message(FATAL_ERROR "nlohmann/json was not found: set TPN_JSON to a folder that holds nlohmann/json.hpp or "
                        "include/nlohmann/json.hpp.")
  endif()
  add_library(gpu_json INTERFACE)
  target_include_directories(gpu_json SYSTEM INTERFACE ${TPN_JSON_INCLUDE})
  add_library(nlohmann_json::nlohmann_json ALIAS gpu_json)
endif()

add_custom_target(tpn_gpu)
add_subdirectory(kernels)
foreach(layer IN ITEMS model graph networks plan exec)
  add_subdirectory(engine/${layer})
endforeach()
add_subdirectory(benchmarks/gpu)
foreach(part IN ITEMS support kernels networks cuda_primitives)
  add_subdirectory(tests/${part})
endforeach()
