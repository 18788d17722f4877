// What a device offers: kernels compiled for operations of given shapes and types.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/memory.h"
#include "kernels/op_list.h"
#include "kernels/packing.h"
#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace tpn {

/// A tensor that an operation to compile reads or writes: its type and layout.
struct Operand {
  Shape shape;
  DType dtype = DType::f32;
  /// Of an activation (N,T,H,W,C): elements from one pixel to the next, a multiple of the backend's
  /// channel_alignment() A. A kernel reads and writes C rounded up to A channels of each pixel; those past C
  /// are zeros. A larger stride is that of a channel slice in a wider tensor. 0: C, dense.
  std::int64_t pixel_stride = 0;
  Kind kind = Kind::activation;
  std::string name = {};  ///< of a parameter, as in the model file
};

/// What an operation is compiled for.
struct Signature {
  std::span<const Operand> inputs;
  std::span<const Operand> outputs;
  bool tf32 = false;  ///< products of f32 operands may round them to 10 bits of mantissa
};

/// What a run of a kernel costs at least.
struct KernelWork {
  std::int64_t bytes = 0;          ///< read from and written to the device's memory, each tensor once
  std::int64_t multiply_adds = 0;  ///< issued, including those on padding
};

/// A kernel that was considered for an operation.
struct CandidateReport {
  std::string implementation = {};  ///< as of Kernel
  double seconds = 0;               ///< of one run; 0: not timed
  double relative_error = 0;        ///< L2, against the plain kernel's output
  bool chosen = false;
  std::string reason = {};  ///< a sentence: why it may not run; empty when it may
};

/// A kernel's start, as the device sees it.
struct LaunchReport {
  std::string kernel = {};
  std::int64_t blocks = 0;
  int threads = 0;               ///< of a block
  std::size_t shared_bytes = 0;  ///< of a block, dynamic
  int resident = 0;              ///< blocks that a multiprocessor has room for at once
  double occupancy = 0;          ///< their threads, as a share of what a multiprocessor can have
  double waves = 0;              ///< blocks over those that the device has room for at once
};

/// A compiled operation. Immutable: may run in several threads at once, each with its own tensors and scratch
/// memory.
class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;

  /// Which forms of parameters it reads. Operands that are no sources of any are read where they lie:
  /// parameters among them dense and in f32.
  [[nodiscard]] virtual std::span<const std::shared_ptr<const Packing>> packings() const { return {}; }

  /// Enqueues the operation on a stream of the backend. inputs: one view per operand; those of the sources of
  /// packings() are not read. packed: what each of packings() has made. scratch: scratch_bytes() bytes,
  /// aligned as the backend's memory_alignment() says, that no other work of the stream uses meanwhile.
  virtual void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
                   std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const = 0;
  [[nodiscard]] virtual std::size_t scratch_bytes() const { return 0; }
  /// Whether run() waits for earlier work of the stream, so that it cannot be recorded.
  [[nodiscard]] virtual bool waits() const { return false; }
  /// Which code runs, for tables: for instance the library's implementation name.
  [[nodiscard]] virtual std::string implementation() const = 0;
  [[nodiscard]] virtual KernelWork work() const { return {}; }
  /// Which kernels this one was chosen among, itself included; empty where there was no choice by timing.
  [[nodiscard]] virtual std::vector<CandidateReport> candidates() const { return {}; }
  /// The input whose memory the first output should share, where that saves a copy; -1 for none.
  [[nodiscard]] virtual int in_place_input() const { return -1; }
};

class ViewMaker;

/// A device on which plans run.
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  static constexpr std::string_view host_memory = "host";

  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Whether activations can have that type here.
  [[nodiscard]] virtual bool supports(DType dtype) const = 0;
  /// Whether the operation can be compiled: a fusion pass asks before it makes one.
  [[nodiscard]] virtual bool supports(const AnyOp& op) const = 0;

  /// Whether f32 activations may be multiplied on tensor cores.
  [[nodiscard]] virtual bool supports_tf32() const { return false; }
  /// Whether the first output of the operation may be a channel slice of a wider tensor.
  [[nodiscard]] virtual bool writes_slices(const AnyOp&) const { return false; }
  /// What channels of activations are padded to in memory, in elements; see Operand::pixel_stride.
  [[nodiscard]] virtual std::int64_t channel_alignment() const { return 1; }

  /// Throws Error, naming the operation, when it cannot run here.
  [[nodiscard]] virtual std::unique_ptr<Kernel> compile(const AnyOp& op,
                                                        const Signature& signature) const = 0;

  /// The memory in which kernels work. Backends that give the same name share packed weights, so that each
  /// device with memory of its own has its own name.
  [[nodiscard]] virtual std::string memory_name() const { return std::string(host_memory); }
  /// Whether that is the host's: then no copies are needed.
  [[nodiscard]] bool uses_host_memory() const { return memory_name() == host_memory; }
  /// What the tensors of a run are aligned to, bytes.
  [[nodiscard]] virtual std::size_t memory_alignment() const { return HostBuffer::alignment; }
  /// Memory for kernels; throws OutOfMemory when there is not enough.
  [[nodiscard]] virtual Buffer allocate(std::size_t bytes) const { return HostBuffer(bytes); }
  /// Host memory from and to which streams copy without waiting.
  [[nodiscard]] virtual Buffer allocate_staging(std::size_t bytes) const { return HostBuffer(bytes); }
  [[nodiscard]] virtual std::unique_ptr<Stream> make_stream() const { return make_host_stream(); }
  /// Memory that allocate() can still give, bytes; 0: unknown.
  [[nodiscard]] virtual std::size_t free_memory() const { return 0; }

  /// Called when all kernels of a plan have been compiled.
  virtual void finish_compiling() const {}

  /// What makes views in the device's memory; null where they had better be made on the host. It must not
  /// outlive the backend.
  [[nodiscard]] virtual std::unique_ptr<ViewMaker> make_view_maker() const;

  /// Does `work`, which enqueues kernels from the calling thread, and tells which of the backend's own it
  /// started; nothing where a backend does not know.
  [[nodiscard]] virtual std::vector<LaunchReport> observe(const std::function<void()>& work) const {
    work();
    return {};
  }

  /// The libraries it computes with and what they make of this machine, for reports; empty for none.
  [[nodiscard]] virtual std::string libraries() const { return {}; }

  /// Called by the thread that is about to run kernels.
  virtual void enter_thread() const {}
};

}  // namespace tpn
