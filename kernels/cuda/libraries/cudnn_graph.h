// A two-dimensional convolution with its epilogue, or a gradient of one, as a graph of cuDNN's, and the plans
// that run it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cuda/libraries/cudnn_api.h"
#include "kernels/cuda/libraries/library_shapes.h"

namespace tpn::cuda {

/// Owns a descriptor of cuDNN's backend interface.
class CudnnDescriptor {
 public:
  /// Throws Error when cuDNN cannot make it.
  CudnnDescriptor(const CudnnApi& api, cudnnBackendDescriptorType_t type);

  [[nodiscard]] cudnnBackendDescriptor_t get() const { return handle_.get(); }

  /// Each throws Error when cuDNN refuses it.
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::span<const T> values) {
    set_bytes(name, type, static_cast<std::int64_t>(values.size()), values.data());
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T& value) {
    set_bytes(name, type, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, const CudnnDescriptor& value) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, value.get());
  }
  void finalize(const char* what);

  template <class T>
  [[nodiscard]] T get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) const {
    T value{};
    std::int64_t count = 0;
    get_bytes(name, type, 1, count, &value);
    return value;
  }
  /// At most `most` values.
  template <class T>
  [[nodiscard]] std::vector<T> get_all(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                       std::size_t most) const {
    std::vector<T> values(most);
    std::int64_t count = 0;
    get_bytes(name, type, static_cast<std::int64_t>(most), count, values.data());
    values.resize(std::min(most, static_cast<std::size_t>(count)));
    return values;
  }
  /// At most `most` descriptors of a type.
  [[nodiscard]] std::vector<CudnnDescriptor> get_descriptors(cudnnBackendAttributeName_t name,
                                                             cudnnBackendDescriptorType_t type,
                                                             std::size_t most) const;

 private:
  struct Destroy {
    decltype(CudnnApi::destroy_descriptor) destroy = nullptr;
    void operator()(void* descriptor) const noexcept { static_cast<void>(destroy(descriptor)); }
  };

  void set_bytes(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                 const void* values);
  void get_bytes(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t most,
                 std::int64_t& count, void* values) const;

  const CudnnApi* api_;
  std::unique_ptr<void, Destroy> handle_;
};

/// What plans are made for: the device of the handle that will run them ...
CudnnDescriptor cudnn_device(const CudnnApi& api, cudnnHandle_t handle);
/// ... or any device, by cuDNN's description of it in JSON, for which plans can be made but not run.
CudnnDescriptor cudnn_device(const CudnnApi& api, std::string_view json);

/// The tensors of a plan, or their gradients, by the number that a variant pack gives them.
enum class ConvTensor : std::int64_t { x = 1, weights, bias, residual, y };

struct ConvPlan {
  std::string name;  ///< cuDNN's engine and its settings, the same in every process
  CudnnDescriptor plan;
  std::size_t workspace = 0;  ///< bytes, at most max_workspace
};

/// Plans for a convolution, those first that cuDNN expects to be the fastest, at most `count`; with `only` no
/// other than that of the name. Without those whose sums may come in another order in every run and, unless
/// the shape allows it, those that round f32. Throws Error when cuDNN refuses the graph.
std::vector<ConvPlan> conv2d_plans(const CudnnApi& api, const Conv2dShape& shape,
                                   const CudnnDescriptor& device, std::size_t count, std::string_view only);

}  // namespace tpn::cuda
