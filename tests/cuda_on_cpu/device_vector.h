// Device memory that a test fills from and reads into vectors.
#pragma once

#include <stdexcept>
#include <vector>

#include <cuda_runtime_api.h>

namespace tpn::cuda_on_cpu {

template <class T>
class DeviceVector {
 public:
  explicit DeviceVector(std::size_t count) : count_(count) {
    void* memory = nullptr;
    require(cudaMalloc(&memory, count * sizeof(T)));
    data_ = static_cast<T*>(memory);
  }
  explicit DeviceVector(const std::vector<T>& values) : DeviceVector(values.size()) {
    require(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~DeviceVector() { cudaFree(data_); }
  DeviceVector(const DeviceVector&) = delete;
  DeviceVector& operator=(const DeviceVector&) = delete;

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return count_; }

  /// After all work so far. Throws when that or the copy failed.
  [[nodiscard]] std::vector<T> to_host() const {
    std::vector<T> values(count_);
    require(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  static void require(cudaError_t status) {
    if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
  }

  T* data_ = nullptr;
  std::size_t count_;
};

}  // namespace tpn::cuda_on_cpu
