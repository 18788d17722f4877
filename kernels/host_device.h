// Marks functions of headers that kernels on CUDA devices call like the host does.
#pragma once

#ifdef __CUDACC__
#define TPN_HOST_DEVICE __host__ __device__
#else
#define TPN_HOST_DEVICE
#endif
