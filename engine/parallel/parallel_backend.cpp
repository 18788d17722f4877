#include "engine/parallel/parallel_backend.h"

#include <cstring>
#include <string>
#include <utility>

namespace tpn {
namespace {

class GatherKernel final : public Kernel {
 public:
  GatherKernel(std::shared_ptr<Communicator> communicator, const Signature& signature)
      : communicator_(std::move(communicator)) {
    for (const Operand& input : signature.inputs) {
      bytes_ += static_cast<std::size_t>(input.shape.count()) * size_of(input.dtype);
    }
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const>, std::byte* scratch, Stream&) const override {
    auto* own = reinterpret_cast<float*>(scratch);
    for (const ConstTensorView& input : inputs) {
      std::memcpy(scratch, input.data, input.bytes());
      scratch += input.bytes();
    }
    const auto all = static_cast<std::size_t>(outputs[0].shape.count());
    communicator_->gather({own, all / static_cast<std::size_t>(communicator_->size())},
                          {reinterpret_cast<float*>(outputs[0].data), all});
  }
  [[nodiscard]] std::size_t scratch_bytes() const override { return bytes_; }
  [[nodiscard]] std::string implementation() const override { return "communicator"; }

 private:
  std::shared_ptr<Communicator> communicator_;
  std::size_t bytes_ = 0;  ///< of this rank's tensors
};

class ParallelBackend final : public Backend {
 public:
  ParallelBackend(std::shared_ptr<const Backend> device, std::shared_ptr<Communicator> communicator)
      : device_(std::move(device)), communicator_(std::move(communicator)) {
    if (!device_->uses_host_memory()) {
      throw Error("The device '" + std::string(device_->name()) + "' cannot exchange tensors within a step.");
    }
  }

  [[nodiscard]] std::string_view name() const override { return device_->name(); }
  [[nodiscard]] bool supports(DType dtype) const override { return device_->supports(dtype); }
  [[nodiscard]] bool supports(const AnyOp& op) const override {
    if (const auto* gather = std::get_if<ops::AllGather>(&op)) return gather->ranks == communicator_->size();
    return device_->supports(op);
  }
  [[nodiscard]] bool writes_slices(const AnyOp& op) const override { return device_->writes_slices(op); }
  [[nodiscard]] std::int64_t channel_alignment() const override { return device_->channel_alignment(); }
  [[nodiscard]] std::unique_ptr<Kernel> compile(const AnyOp& op, const Signature& signature) const override {
    if (!std::holds_alternative<ops::AllGather>(op)) return device_->compile(op, signature);
    return std::make_unique<GatherKernel>(communicator_, signature);
  }
  [[nodiscard]] std::size_t memory_alignment() const override { return device_->memory_alignment(); }
  [[nodiscard]] Buffer allocate(std::size_t bytes) const override { return device_->allocate(bytes); }
  [[nodiscard]] std::size_t free_memory() const override { return device_->free_memory(); }
  void finish_compiling() const override { device_->finish_compiling(); }
  [[nodiscard]] std::string libraries() const override { return device_->libraries(); }
  void enter_thread() const override { device_->enter_thread(); }

 private:
  std::shared_ptr<const Backend> device_;
  std::shared_ptr<Communicator> communicator_;
};

}  // namespace

std::shared_ptr<const Backend> make_parallel_backend(std::shared_ptr<const Backend> device,
                                                     std::shared_ptr<Communicator> communicator) {
  return std::make_shared<const ParallelBackend>(std::move(device), std::move(communicator));
}

}  // namespace tpn
