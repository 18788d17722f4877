#include "kernels/packed_weights.h"

#include <cstdint>
#include <vector>

#include "kernels/convert.h"

namespace tpn {

Packing::Packing(std::string_view form, std::span<const Operand> operands, std::vector<std::size_t> sources,
                 std::size_t bytes)
    : key_(form), sources_(std::move(sources)), bytes_(bytes) {
  for (const std::size_t source : sources_) key_ += "|" + operands[source].name;
}

PackedWeights::Form PackedWeights::get(const std::string& key, const std::function<Buffer()>& make) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<const Buffer>& slot = forms_[key];
  Form form = slot.lock();
  if (!form) slot = form = std::make_shared<const Buffer>(make());
  return form;
}

namespace {

std::size_t bytes_as_f32(const Shape& shape) {
  return static_cast<std::size_t>(shape.count()) * sizeof(float);
}

/// A stored parameter as f32 in the host's memory: where it lies if it can be read there, else a copy.
class HostFloats {
 public:
  explicit HostFloats(const StoredParameter& parameter) : view_(parameter.view) {
    const bool aligned = reinterpret_cast<std::uintptr_t>(view_.data) % alignof(float) == 0;
    if (view_.dtype == DType::f32 && aligned) return;
    copy_ = HostBuffer(bytes_as_f32(view_.shape));
    convert(view_.data, view_.dtype, copy_.data(), DType::f32, static_cast<std::size_t>(view_.shape.count()));
    view_ = {copy_.data(), DType::f32, view_.shape};
  }

  [[nodiscard]] const ConstTensorView& view() const { return view_; }

 private:
  ConstTensorView view_;
  HostBuffer copy_;
};

/// Several parameters as f32.
struct Sources {
  explicit Sources(std::span<const StoredParameter> parameters) {
    for (const StoredParameter& parameter : parameters) {
      views.push_back(floats.emplace_back(parameter).view());
    }
  }

  std::vector<HostFloats> floats;
  std::vector<ConstTensorView> views;
};

void release(std::span<const StoredParameter> parameters) {
  for (const StoredParameter& parameter : parameters) {
    if (parameter.release) parameter.release();
  }
}

}  // namespace

Buffer pack(const Packing& packing, std::span<const StoredParameter> sources, const Backend& backend) {
  Sources host(sources);
  std::vector<ConstTensorView>& views = host.views;
  packing.check(views);

  backend.enter_thread();
  Buffer packed = backend.allocate(packing.bytes());
  const std::unique_ptr<Stream> stream = backend.make_stream();
  std::vector<Buffer> uploaded;
  if (!backend.uses_host_memory()) {
    for (ConstTensorView& view : views) {
      const Buffer& memory = uploaded.emplace_back(backend.allocate(view.bytes()));
      stream->upload(memory.data(), view.data, view.bytes());
      view.data = memory.data();
    }
  }
  packing.pack(views, packed.data(), *stream);
  stream->synchronize();
  release(sources);
  return packed;
}

void check(const Packing& packing, std::span<const StoredParameter> sources) {
  packing.check(Sources(sources).views);
  release(sources);
}

Buffer upload(const StoredParameter& parameter, const Backend& backend) {
  const HostFloats floats(parameter);
  backend.enter_thread();
  Buffer memory = backend.allocate(floats.view().bytes());
  const std::unique_ptr<Stream> stream = backend.make_stream();
  stream->upload(memory.data(), floats.view().data, floats.view().bytes());
  stream->synchronize();
  release({&parameter, 1});
  return memory;
}

}  // namespace tpn
