#include "engine/parallel/parallel_backend.h"

#include <string>
#include <utility>
#include <vector>

#include "kernels/buffer_pool.h"
#include "kernels/preprocess/view_maker.h"

namespace tpn {
namespace {

/// Gathers in the host's memory, to which a device copies what it has, and waits.
class GatherKernel final : public Kernel {
 public:
  /// staging: shared by kernels, of which one after the other runs.
  GatherKernel(std::shared_ptr<Communicator> communicator, std::shared_ptr<BufferPool> staging)
      : communicator_(std::move(communicator)), staging_(std::move(staging)) {}

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const>, std::byte*, Stream& stream) const override {
    const std::size_t bytes = outputs[0].bytes();
    const std::size_t own_bytes = bytes / static_cast<std::size_t>(communicator_->size());
    const std::shared_ptr<const Buffer> staging = staging_->take(bytes + own_bytes);
    std::byte *const all = staging->data(), *const own = all + bytes;
    std::byte* to = own;
    for (const ConstTensorView& input : inputs) {
      stream.download(to, input.data, input.bytes());
      to += input.bytes();
    }
    stream.synchronize();
    communicator_->gather({reinterpret_cast<const float*>(own), own_bytes / sizeof(float)},
                          {reinterpret_cast<float*>(all), bytes / sizeof(float)});
    stream.upload(outputs[0].data, all, bytes);
    stream.synchronize();  // others may have the memory then
  }
  [[nodiscard]] bool waits() const override { return true; }
  [[nodiscard]] std::string implementation() const override { return "communicator"; }

 private:
  std::shared_ptr<Communicator> communicator_;
  std::shared_ptr<BufferPool> staging_;
};

/// Gathers between devices.
class DeviceGatherKernel final : public Kernel {
 public:
  explicit DeviceGatherKernel(std::shared_ptr<Collectives> collectives)
      : collectives_(std::move(collectives)) {}

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const>, std::byte*, Stream& stream) const override {
    collectives_->gather(inputs, outputs[0], stream);
  }
  [[nodiscard]] std::string implementation() const override { return "collectives"; }

 private:
  std::shared_ptr<Collectives> collectives_;
};

class ParallelBackend final : public Backend {
 public:
  ParallelBackend(std::shared_ptr<const Backend> device, std::shared_ptr<Communicator> communicator,
                  std::shared_ptr<Collectives> collectives)
      : device_(std::move(device)),
        communicator_(std::move(communicator)),
        collectives_(std::move(collectives)),
        staging_(std::make_shared<BufferPool>(
            [device = device_](std::size_t bytes) { return device->allocate_staging(bytes); })) {}

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
    if (collectives_) return std::make_unique<DeviceGatherKernel>(collectives_);
    return std::make_unique<GatherKernel>(communicator_, staging_);
  }
  [[nodiscard]] bool supports_tf32() const override { return device_->supports_tf32(); }
  [[nodiscard]] std::string memory_name() const override { return device_->memory_name(); }
  [[nodiscard]] std::size_t memory_alignment() const override { return device_->memory_alignment(); }
  [[nodiscard]] Buffer allocate(std::size_t bytes) const override { return device_->allocate(bytes); }
  [[nodiscard]] Buffer allocate_staging(std::size_t bytes) const override {
    return device_->allocate_staging(bytes);
  }
  [[nodiscard]] std::unique_ptr<Stream> make_stream() const override { return device_->make_stream(); }
  [[nodiscard]] std::unique_ptr<ViewMaker> make_view_maker() const override {
    return device_->make_view_maker();
  }
  [[nodiscard]] std::vector<LaunchReport> observe(const std::function<void()>& work) const override {
    return device_->observe(work);
  }
  [[nodiscard]] std::size_t free_memory() const override { return device_->free_memory(); }
  void finish_compiling() const override { device_->finish_compiling(); }
  [[nodiscard]] std::string libraries() const override { return device_->libraries(); }
  void enter_thread() const override { device_->enter_thread(); }

 private:
  std::shared_ptr<const Backend> device_;
  std::shared_ptr<Communicator> communicator_;
  std::shared_ptr<Collectives> collectives_;
  std::shared_ptr<BufferPool> staging_;  ///< of what is gathered by way of the host
};

}  // namespace

std::shared_ptr<const Backend> make_parallel_backend(std::shared_ptr<const Backend> device,
                                                     std::shared_ptr<Communicator> communicator,
                                                     std::shared_ptr<Collectives> collectives) {
  return std::make_shared<const ParallelBackend>(std::move(device), std::move(communicator),
                                                 std::move(collectives));
}

}  // namespace tpn
