#include "kernels/cuda/libraries/cublaslt_gemm.h"

#include <array>
#include <map>
#include <mutex>
#include <utility>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/libraries/cublaslt_api.h"
#include "kernels/cuda/libraries/library_shapes.h"
#include "kernels/cuda/libraries/library_weights.h"
#include "kernels/cuda/stream.h"

namespace tpn::cuda {
namespace {

constexpr std::size_t most_candidates = 4;

/// Gives one of cuBLASLt's objects back.
template <class Function>
struct Destroy {
  Function destroy = nullptr;
  template <class Object>
  void operator()(Object* object) const noexcept {
    static_cast<void>(destroy(object));
  }
};
using OwnedHandle = std::unique_ptr<cublasLtContext, Destroy<decltype(CublasLtApi::destroy)>>;
using OwnedMatrix =
    std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroy<decltype(CublasLtApi::destroy_matrix)>>;
using OwnedProduct =
    std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroy<decltype(CublasLtApi::destroy_product)>>;
using OwnedPreference =
    std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Destroy<decltype(CublasLtApi::destroy_preference)>>;

cudaDataType_t data_type(DType type) {
  switch (type) {
    case DType::f16:
      return CUDA_R_16F;
    case DType::bf16:
      return CUDA_R_16BF;
    default:
      return CUDA_R_32F;
  }
}

cublasLtEpilogue_t epilogue_of(const GemmShape& shape) {
  if (shape.bias) return shape.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
  return shape.relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
}

/// cuBLASLt's handle on the current device, shared by all kernels there: it may be used by several threads.
std::shared_ptr<cublasLtContext> current_handle(const CublasLtApi& api) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<cublasLtContext>> handles;
  int device = 0;
  check(cudaGetDevice(&device), "asking for the current device");
  const std::lock_guard lock(mutex);
  std::weak_ptr<cublasLtContext>& slot = handles[device];
  std::shared_ptr<cublasLtContext> handle = slot.lock();
  if (!handle) {
    cublasLtHandle_t made = nullptr;
    api.check(api.create(&made), "starting");
    slot = handle = OwnedHandle(made, {api.destroy});
  }
  return handle;
}

/// A product as cuBLASLt knows it: d = epilogue(a b + c), where a or b may be transposed. Which matrices
/// these are, GemmShape says: a is w, w, x; b is x, dy, dy; d is y, dx, dw.
class Product {
 public:
  Product(const CublasLtApi& api, const GemmShape& shape)
      : api_(api),
        shape_(shape),
        a_(shape.pass == ConvPass::weight_gradient ? x() : weights(shape.dtype)),
        b_(shape.pass == ConvPass::forward ? x() : y(shape.y_stride)),
        c_(shape.residual ? y(shape.residual_stride) : output()),
        d_(output()) {}

  /// What cuBLASLt expects to be fast, best first.
  [[nodiscard]] std::vector<cublasLtMatmulHeuristicResult_t> algorithms(cublasLtHandle_t handle,
                                                                        std::size_t most) const {
    cublasLtMatmulPreference_t made = nullptr;
    api_.check(api_.create_preference(&made), "describing a preference");
    const OwnedPreference preference(made, {api_.destroy_preference});
    const OwnedProduct product = description(&any_bias);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, auto value) {
      api_.check(api_.set_preference(preference.get(), name, &value, sizeof value), "setting a preference");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{max_workspace});
    // Sums of split products are kept in f32, and in an order that does not change from run to run.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    for (const auto name :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      prefer(name, std::uint32_t{16});
    }
    std::vector<cublasLtMatmulHeuristicResult_t> found(most);
    int count = 0;
    const cublasStatus_t status =
        api_.heuristic(handle, product.get(), a_.get(), b_.get(), c_.get(), d_.get(), preference.get(),
                       static_cast<int>(most), found.data(), &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
    api_.check(status, "looking for kernels of a product");
    found.resize(static_cast<std::size_t>(count));
    std::erase_if(found, [](const auto& result) { return result.state != CUBLAS_STATUS_SUCCESS; });
    return found;
  }

  /// All in the device's memory. bias: not read without one. residual: null without.
  void run(cublasLtHandle_t handle, const cublasLtMatmulAlgo_t& algorithm, const void* a, const void* b,
           const void* bias, const void* residual, void* d, void* workspace, std::size_t bytes,
           cudaStream_t stream) const {
    const OwnedProduct product = description(bias);
    const float alpha = 1, beta = residual ? 1.0F : 0.0F;
    api_.check(
        api_.multiply(handle, product.get(), &alpha, a, a_.get(), b, b_.get(), &beta, residual ? residual : d,
                      c_.get(), d, d_.get(), &algorithm, workspace, bytes, stream),
        "starting a product");
  }

 private:
  /// What stands for a bias until there is one: all of it that algorithms depend on is its alignment.
  alignas(memory_alignment) static constexpr std::byte any_bias{};

  /// The product with that bias, which is a part of its description: so each run has one of its own.
  [[nodiscard]] OwnedProduct description(const void* bias) const {
    cublasLtMatmulDesc_t made = nullptr;
    api_.check(api_.create_product(&made, shape_.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                   CUDA_R_32F),
               "describing a product");
    OwnedProduct product(made, {api_.destroy_product});
    const auto set = [&](cublasLtMatmulDescAttributes_t name, const auto& value) {
      api_.check(api_.set_product(made, name, &value, sizeof value), "describing a product");
    };
    if (shape_.pass == ConvPass::forward) set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    if (shape_.pass == ConvPass::weight_gradient) set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(shape_));
    if (shape_.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    return product;
  }

  [[nodiscard]] OwnedMatrix weights(DType type) const {
    return matrix(type, shape_.inputs, shape_.outputs, shape_.inputs);
  }
  [[nodiscard]] OwnedMatrix x() const {
    return matrix(shape_.dtype, shape_.inputs, shape_.rows, shape_.x_stride);
  }
  [[nodiscard]] OwnedMatrix y(std::int64_t stride) const {
    return matrix(shape_.dtype, shape_.outputs, shape_.rows, stride);
  }
  [[nodiscard]] OwnedMatrix output() const {
    if (shape_.pass == ConvPass::weight_gradient) return weights(DType::f32);
    return shape_.pass == ConvPass::data_gradient ? x() : y(shape_.y_stride);
  }

  /// Column by column, `stride` elements from one to the next.
  [[nodiscard]] OwnedMatrix matrix(DType type, std::int64_t rows, std::int64_t columns,
                                   std::int64_t stride) const {
    cublasLtMatrixLayout_t made = nullptr;
    api_.check(api_.create_matrix(&made, data_type(type), static_cast<std::uint64_t>(rows),
                                  static_cast<std::uint64_t>(columns), stride),
               "describing a matrix");
    return {made, {api_.destroy_matrix}};
  }

  const CublasLtApi& api_;
  GemmShape shape_;
  OwnedMatrix a_, b_, c_, d_;
};

std::string name_of_algorithm(const CublasLtApi& api, const cublasLtMatmulAlgo_t& algorithm,
                              const GemmShape& shape) {
  const auto setting = [&](cublasLtMatmulAlgoConfigAttributes_t name, auto value) {
    std::size_t written = 0;
    api.check(api.algorithm_setting(&algorithm, name, &value, sizeof value, &written),
              "asking for an algorithm's settings");
    return std::to_string(value);
  };
  const std::string what = shape.pass == ConvPass::forward         ? "gemm"
                           : shape.pass == ConvPass::data_gradient ? "data_gradient"
                                                                   : "weight_gradient";
  return "cublaslt_" + what + "_a" + setting(CUBLASLT_ALGO_CONFIG_ID, std::int32_t{0}) + "_t" +
         setting(CUBLASLT_ALGO_CONFIG_TILE_ID, std::uint32_t{0}) + "_s" +
         setting(CUBLASLT_ALGO_CONFIG_STAGES_ID, std::uint32_t{0}) + "_k" +
         setting(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, std::int32_t{0}) + "_w" +
         setting(CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, std::uint32_t{0}) + "_c" +
         setting(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, std::uint16_t{0}) + "_i" +
         setting(CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, std::uint16_t{0}) + "_o" +
         setting(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, std::uint32_t{0}) + " (" +
         (shape.tf32 ? "tf32" : std::string(tpn::name_of(shape.dtype))) + ")";
}

class CublasLtKernel final : public Kernel {
 public:
  /// packing: null for the gradient of a weight.
  CublasLtKernel(std::shared_ptr<cublasLtContext> handle,
                 const std::shared_ptr<const LibraryPacking>& packing, std::shared_ptr<const Product> product,
                 const GemmShape& shape, const cublasLtMatmulHeuristicResult_t& found, std::string name,
                 int residual)
      : handle_(std::move(handle)),
        bias_offset_(packing ? packing->bias_offset() : 0),
        packing_(packing),
        product_(std::move(product)),
        shape_(shape),
        algorithm_(found.algo),
        workspace_(found.workspaceSize),
        name_(std::move(name)),
        residual_(residual) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return {&packing_, packing_ ? std::size_t{1} : 0};
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    const void* residual = residual_ >= 0 ? inputs[static_cast<std::size_t>(residual_)].data : nullptr;
    const bool of_weight = shape_.pass == ConvPass::weight_gradient;
    product_->run(handle_.get(), algorithm_, of_weight ? inputs[0].data : packed[0],
                  inputs[of_weight ? 1 : 0].data, of_weight ? nullptr : packed[0] + bias_offset_, residual,
                  outputs[0].data, workspace_ > 0 ? scratch : nullptr, workspace_, stream_of(stream));
  }

  [[nodiscard]] std::size_t scratch_bytes() const override { return workspace_; }
  [[nodiscard]] std::string implementation() const override { return name_; }
  [[nodiscard]] KernelWork work() const override {
    const std::int64_t residual = shape_.residual ? shape_.rows * shape_.outputs : 0;
    return {(shape_.rows * (shape_.inputs + shape_.outputs) + residual + shape_.inputs * shape_.outputs) *
                static_cast<std::int64_t>(size_of(shape_.dtype)),
            shape_.rows * shape_.inputs * shape_.outputs};
  }
  /// cuBLASLt adds in place where both matrices have one layout.
  [[nodiscard]] int in_place_input() const override {
    return shape_.residual_stride == shape_.y_stride ? residual_ : -1;
  }

 private:
  std::shared_ptr<cublasLtContext> handle_;
  std::size_t bias_offset_;
  std::shared_ptr<const Packing> packing_;
  std::shared_ptr<const Product> product_;
  GemmShape shape_;
  cublasLtMatmulAlgo_t algorithm_;
  std::size_t workspace_;
  std::string name_;
  int residual_;  // which input; -1: none
};

}  // namespace

std::vector<std::unique_ptr<Kernel>> cublaslt_candidates(const AnyOp& op, const Signature& signature,
                                                         std::string_view only) {
  std::vector<std::unique_ptr<Kernel>> kernels;
  const std::optional<LibraryOperation> operation = library_operation(op, signature);
  if (!operation) return kernels;
  const Result<GemmShape> shape = gemm_shape(*operation);
  if (!shape || !cublaslt_api()) return kernels;
  const CublasLtApi& api = *cublaslt_api();
  const auto handle = current_handle(api);
  const auto packing = operation->pass == ConvPass::weight_gradient
                           ? nullptr
                           : std::make_shared<const LibraryPacking>(operation->op, signature);
  const auto product = std::make_shared<const Product>(api, *shape);
  const int residual = shape->residual ? static_cast<int>(signature.inputs.size()) - 1 : -1;
  for (const auto& found : product->algorithms(handle.get(), most_candidates)) {
    std::string name = name_of_algorithm(api, found.algo, *shape);
    if (!only.empty() && name != only) continue;
    kernels.push_back(
        std::make_unique<CublasLtKernel>(handle, packing, product, *shape, found, std::move(name), residual));
  }
  return kernels;
}

std::string cublaslt_version() {
  if (!cublaslt_api()) return {};
  const std::size_t version = cublaslt_api()->version();
  return "cuBLASLt " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace tpn::cuda
