# cmake -DSOURCES=a;b -DCOMPILER=text -DHEADER=file -P write_build_id.cmake: see kernels/cuda/build_id.cmake.
set(all "${COMPILER}")
foreach(source IN LISTS SOURCES)
  file(SHA256 ${source} sum)
  string(APPEND all " ${sum}")
endforeach()
string(SHA256 id "${all}")
string(SUBSTRING ${id} 0 16 id)
file(WRITE ${HEADER} "#define TPN_CUDA_BUILD_ID \"${id}\"\n")
