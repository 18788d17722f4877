# The sources of the CUDA backend: for nvcc, and for the emulation that the tests run (tests/cuda_on_cpu).
file(GLOB TPN_CUDA_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cu ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
