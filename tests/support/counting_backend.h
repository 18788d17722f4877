// A backend that counts how often its kernels' parameters are packed, and the memory that it gives.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend.h"

namespace tpn::test {

/// Does what another backend does.
class CountingBackend final : public Backend {
 public:
  explicit CountingBackend(std::shared_ptr<const Backend> backend) : backend_(std::move(backend)) {}

  /// Packings since the last call. Work that a stream replays is not counted.
  int packed() const { return std::exchange(*packed_, 0); }
  /// Bytes given since the last call, to kernels and of staging.
  std::size_t allocated() const { return std::exchange(allocated_, 0); }

  [[nodiscard]] std::string_view name() const override { return backend_->name(); }
  [[nodiscard]] bool supports(DType dtype) const override { return backend_->supports(dtype); }
  [[nodiscard]] bool supports(const AnyOp& op) const override { return backend_->supports(op); }
  [[nodiscard]] bool supports_tf32() const override { return backend_->supports_tf32(); }
  [[nodiscard]] bool writes_slices(const AnyOp& op) const override { return backend_->writes_slices(op); }
  [[nodiscard]] std::int64_t channel_alignment() const override { return backend_->channel_alignment(); }
  [[nodiscard]] std::unique_ptr<Kernel> compile(const AnyOp& op, const Signature& signature) const override {
    return std::make_unique<CountingKernel>(backend_->compile(op, signature), packed_);
  }
  [[nodiscard]] std::string memory_name() const override { return backend_->memory_name(); }
  [[nodiscard]] std::size_t memory_alignment() const override { return backend_->memory_alignment(); }
  [[nodiscard]] Buffer allocate(std::size_t bytes) const override {
    allocated_ += bytes;
    return backend_->allocate(bytes);
  }
  [[nodiscard]] Buffer allocate_staging(std::size_t bytes) const override {
    allocated_ += bytes;
    return backend_->allocate_staging(bytes);
  }
  [[nodiscard]] std::unique_ptr<Stream> make_stream() const override { return backend_->make_stream(); }
  void finish_compiling() const override { backend_->finish_compiling(); }
  void enter_thread() const override { backend_->enter_thread(); }

 private:
  class CountingPacking final : public Packing {
   public:
    CountingPacking(std::shared_ptr<const Packing> packing, std::shared_ptr<int> count)
        : Packing(packing->key(), std::vector<Operand>(most_operands),
                  {packing->sources().begin(), packing->sources().end()}, packing->bytes()),
          packing_(std::move(packing)),
          count_(std::move(count)) {}

    void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream& stream) const override {
      ++*count_;
      packing_->pack(sources, packed, stream);
    }

   private:
    static constexpr std::size_t most_operands = 16;

    std::shared_ptr<const Packing> packing_;
    std::shared_ptr<int> count_;
  };

  class CountingKernel final : public Kernel {
   public:
    CountingKernel(std::unique_ptr<Kernel> kernel, const std::shared_ptr<int>& count)
        : kernel_(std::move(kernel)) {
      for (const auto& packing : kernel_->packings()) {
        packings_.push_back(std::make_shared<const CountingPacking>(packing, count));
      }
    }

    [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
      return packings_;
    }
    void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
      kernel_->run(inputs, outputs, packed, scratch, stream);
    }
    [[nodiscard]] std::size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
    [[nodiscard]] std::string implementation() const override { return kernel_->implementation(); }
    [[nodiscard]] int in_place_input() const override { return kernel_->in_place_input(); }

   private:
    std::unique_ptr<Kernel> kernel_;
    std::vector<std::shared_ptr<const Packing>> packings_;
  };

  std::shared_ptr<const Backend> backend_;
  std::shared_ptr<int> packed_ = std::make_shared<int>(0);
  mutable std::size_t allocated_ = 0;
};

}  // namespace tpn::test
