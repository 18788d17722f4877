#include "kernels/cuda/libraries/cudnn_graph.h"

#include <algorithm>
#include <array>

#include "kernels/cuda/libraries/library_weights.h"

namespace tpn::cuda {
namespace {

using Quad = std::array<std::int64_t, 4>;

cudnnDataType_t data_type(DType type) {
  switch (type) {
    case DType::f16:
      return CUDNN_DATA_HALF;
    case DType::bf16:
      return CUDNN_DATA_BFLOAT16;
    default:
      return CUDNN_DATA_FLOAT;
  }
}

/// Extents (N, C, H, W) and strides in elements.
struct Layout {
  Quad extents, strides;
};

Layout layout_of(const Images& i) {
  return {{i.images, i.channels, i.height, i.width}, {i.image_stride, 1, i.row_stride, i.pixel_stride}};
}

/// Dense, channels innermost.
Layout dense(const Quad& e) {
  return {e, {e[1] * e[2] * e[3], 1, e[1] * e[3], e[1]}};
}

/// Builds the graph: the convolution, then what follows it one operation at a time, each but the last
/// writing a tensor that exists only within the kernel. Or the gradient, which nothing follows.
class GraphBuilder {
 public:
  GraphBuilder(const CudnnApi& api, const Conv2dShape& shape) : api_(api), shape_(shape) {
    const CudnnDescriptor x = stored(ConvTensor::x, layout_of(shape.x));
    const CudnnDescriptor weights =
        stored(ConvTensor::weights,
               dense({shape.y.channels, shape.x.channels / shape.groups, shape.kernel[0], shape.kernel[1]}));
    if (shape.pass != ConvPass::forward) {
      differentiate(x, weights, stored(ConvTensor::y, layout_of(shape.y)));
      return;
    }
    remaining_ = (shape.bias ? 1 : 0) + (shape.residual ? 1 : 0) + (shape.relu ? 1 : 0);
    CudnnDescriptor sum = next_output();
    convolve(x, weights, sum);
    // In the order, and with a bias of the type, for which cuDNN has kernels made in advance.
    if (shape.residual) {
      sum =
          pointwise(CUDNN_POINTWISE_ADD, sum, stored(ConvTensor::residual, layout_of(shape.residual_images)));
    }
    if (shape.bias) {
      sum = pointwise(CUDNN_POINTWISE_ADD, sum, stored(ConvTensor::bias, dense({1, shape.y.channels, 1, 1})));
    }
    if (shape.relu) sum = pointwise(CUDNN_POINTWISE_RELU_FWD, sum, std::nullopt);
  }

  CudnnDescriptor finish() {
    std::vector<cudnnBackendDescriptor_t> handles;
    for (const CudnnDescriptor& operation : operations_) handles.push_back(operation.get());
    CudnnDescriptor graph(api_, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
              std::span<const cudnnBackendDescriptor_t>(handles));
    graph.finalize("joining a convolution and its epilogue");
    return graph;
  }

 private:
  static std::int64_t number(ConvTensor which) { return static_cast<std::int64_t>(which); }

  CudnnDescriptor tensor(std::int64_t id, const Layout& layout, cudnnDataType_t type, bool is_virtual) {
    constexpr std::int64_t alignment = 16;
    CudnnDescriptor result(api_, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    result.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
    result.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type);
    result.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, alignment);
    result.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, std::span<const std::int64_t>(layout.extents));
    result.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, std::span<const std::int64_t>(layout.strides));
    result.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, is_virtual);
    result.finalize("describing a tensor");
    return result;
  }
  CudnnDescriptor stored(ConvTensor which, const Layout& layout) {
    return tensor(number(which), layout, data_type(shape_.dtype), false);
  }

  /// y for the last operation, for others a virtual tensor of its extents.
  CudnnDescriptor next_output() {
    if (remaining_-- == 0) return stored(ConvTensor::y, layout_of(shape_.y));
    return tensor(next_virtual_++, layout_of(shape_.y), CUDNN_DATA_FLOAT, true);
  }

  [[nodiscard]] CudnnDescriptor convolution() const {
    constexpr std::array<std::int64_t, 2> dilation{1, 1};
    constexpr std::int64_t dimensions = 2;
    CudnnDescriptor convolution(api_, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    convolution.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
    convolution.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
    convolution.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, dimensions);
    const auto set = [&](cudnnBackendAttributeName_t name, std::span<const std::int64_t> values) {
      convolution.set(name, CUDNN_TYPE_INT64, values);
    };
    set(CUDNN_ATTR_CONVOLUTION_DILATIONS, dilation);
    set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, shape_.stride);
    set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, shape_.padding);
    set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, shape_.padding);
    convolution.finalize("describing a convolution");
    return convolution;
  }

  void convolve(const CudnnDescriptor& x, const CudnnDescriptor& weights, const CudnnDescriptor& y) {
    CudnnDescriptor operation(api_, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, weights);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, convolution());
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, alpha);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, beta);
    operation.finalize("describing a convolution's operands");
    operations_.push_back(std::move(operation));
  }

  /// One of x and weights is the gradient that is made, y that of the convolution's output.
  void differentiate(const CudnnDescriptor& x, const CudnnDescriptor& weights, const CudnnDescriptor& y) {
    const bool of_data = shape_.pass == ConvPass::data_gradient;
    CudnnDescriptor operation(api_, of_data ? CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR
                                            : CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR);
    if (of_data) {
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, x);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, weights);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, y);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, convolution());
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_TYPE_FLOAT, alpha);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_TYPE_FLOAT, beta);
    } else {
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, weights);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, y);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, convolution());
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_TYPE_FLOAT, alpha);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, CUDNN_TYPE_FLOAT, beta);
    }
    operation.finalize("describing a gradient's operands");
    operations_.push_back(std::move(operation));
  }

  CudnnDescriptor pointwise(cudnnPointwiseMode_t mode, const CudnnDescriptor& x,
                            const std::optional<CudnnDescriptor>& b) {
    CudnnDescriptor how(api_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    how.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode);
    how.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
    how.finalize("describing an epilogue");

    CudnnDescriptor y = next_output();
    CudnnDescriptor operation(api_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (b) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    operation.finalize("describing an epilogue's operands");
    operations_.push_back(std::move(operation));
    return y;
  }

  static constexpr float alpha = 1, beta = 0;  ///< a result is not scaled, and takes the place of what was

  const CudnnApi& api_;
  const Conv2dShape& shape_;
  std::vector<CudnnDescriptor> operations_;
  std::int64_t next_virtual_ = 100;
  int remaining_ = 0;  // operations after the next one
};

/// How many engine configurations are asked for: several settings of one engine come one after the other.
constexpr std::size_t most_configurations = 16;

std::string name_of_configuration(const CudnnDescriptor& configuration, const CudnnDescriptor& engine,
                                  const Conv2dShape& shape) {
  const std::string_view what = shape.pass == ConvPass::forward         ? "conv2d"
                                : shape.pass == ConvPass::data_gradient ? "data_gradient"
                                                                        : "weight_gradient";
  std::string name =
      "cudnn_" + std::string(what) + "_engine" +
      std::to_string(engine.get<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64));
  for (const CudnnDescriptor& choice : configuration.get_descriptors(
           CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS)) {
    const auto knob =
        choice.get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE);
    const auto value = choice.get<std::int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64);
    name += "_k" + std::to_string(knob) + "=" + std::to_string(value);
  }
  return name + " (" + (shape.tf32 ? "tf32" : std::string(tpn::name_of(shape.dtype))) + ")";
}

bool has_wanted_numerics(const CudnnDescriptor& engine, const Conv2dShape& shape) {
  const auto notes = engine.get_all<cudnnBackendNumericalNote_t>(
      CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  const auto has = [&](cudnnBackendNumericalNote_t note) { return std::ranges::count(notes, note) > 0; };
  if (has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return false;
  const bool exact = shape.dtype == DType::f32 && !shape.tf32;
  return !exact || (!has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) && !has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS));
}

/// Nothing where cuDNN finds out only now that it cannot run it, or where it takes too much memory.
std::optional<ConvPlan> finish_plan(const CudnnApi& api, const std::string& name,
                                    const CudnnDescriptor& configuration, const CudnnDescriptor& device) {
  CudnnDescriptor plan(api, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, device);
  if (api.finalize(plan.get()) != CUDNN_STATUS_SUCCESS) return std::nullopt;
  const auto workspace = plan.get<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64);
  if (workspace < 0 || static_cast<std::size_t>(workspace) > max_workspace) return std::nullopt;
  return ConvPlan{name, std::move(plan), static_cast<std::size_t>(workspace)};
}

}  // namespace

CudnnDescriptor::CudnnDescriptor(const CudnnApi& api, cudnnBackendDescriptorType_t type)
    : api_(&api), handle_(nullptr, Destroy{api.destroy_descriptor}) {
  cudnnBackendDescriptor_t made = nullptr;
  api.check(api.create_descriptor(type, &made), "making a descriptor");
  handle_.reset(made);
}

void CudnnDescriptor::finalize(const char* what) {
  api_->check(api_->finalize(get()), what);
}

void CudnnDescriptor::set_bytes(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                std::int64_t count, const void* values) {
  api_->check(api_->set_attribute(get(), name, type, count, values),
              "setting attribute " + std::to_string(name));
}

void CudnnDescriptor::get_bytes(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                std::int64_t most, std::int64_t& count, void* values) const {
  api_->check(api_->get_attribute(get(), name, type, most, &count, values),
              "asking for attribute " + std::to_string(name));
}

std::vector<CudnnDescriptor> CudnnDescriptor::get_descriptors(cudnnBackendAttributeName_t name,
                                                              cudnnBackendDescriptorType_t type,
                                                              std::size_t most) const {
  std::vector<CudnnDescriptor> descriptors;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (std::size_t i = 0; i < most; ++i) {
    descriptors.emplace_back(*api_, type);
    handles.push_back(descriptors.back().get());
  }
  std::int64_t count = 0;
  get_bytes(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(most), count, handles.data());
  while (descriptors.size() > static_cast<std::size_t>(count)) descriptors.pop_back();
  return descriptors;
}

CudnnDescriptor cudnn_device(const CudnnApi& api, cudnnHandle_t handle) {
  CudnnDescriptor device(api, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  device.set(CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, handle);
  device.finalize("asking for the device's properties");
  return device;
}

CudnnDescriptor cudnn_device(const CudnnApi& api, std::string_view json) {
  CudnnDescriptor device(api, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  device.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, std::span<const char>(json));
  device.finalize("reading the description of a device");
  return device;
}

std::vector<ConvPlan> conv2d_plans(const CudnnApi& api, const Conv2dShape& shape,
                                   const CudnnDescriptor& device, std::size_t count, std::string_view only) {
  const CudnnDescriptor graph = GraphBuilder(api, shape).finish();
  CudnnDescriptor heuristics(api, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device);
  heuristics.finalize("looking for kernels of a convolution");

  std::vector<ConvPlan> plans;
  for (const CudnnDescriptor& configuration : heuristics.get_descriptors(
           CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, most_configurations)) {
    if (plans.size() == count) break;
    const std::vector<CudnnDescriptor> engines =
        configuration.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
    if (engines.empty() || !has_wanted_numerics(engines.front(), shape)) continue;
    const std::string name = name_of_configuration(configuration, engines.front(), shape);
    if (!only.empty() && name != only) continue;
    if (auto plan = finish_plan(api, name, configuration, device)) plans.push_back(*std::move(plan));
  }
  return plans;
}

}  // namespace tpn::cuda
