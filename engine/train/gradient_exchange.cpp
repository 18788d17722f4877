#include "engine/train/gradient_exchange.h"

#include <utility>

namespace tpn {
namespace {

std::size_t elements_of(const PersistentTensor& tensor) {
  return static_cast<std::size_t>(tensor.spec.shape.count());
}

}  // namespace

GradientExchange::GradientExchange(std::shared_ptr<Communicator> communicator, ParameterStore& store,
                                   const Plan& gradients)
    : communicator_(std::move(communicator)), store_(store) {
  for (const Step& step : gradients.steps()) {
    if (!std::holds_alternative<ops::Accumulate>(step.op)) continue;
    Bucket& bucket = buckets_.emplace_back();
    for (const Slot& sum : step.outputs) bucket.tensors.push_back(gradients.persistent()[sum.offset]);
  }
  Bucket statistics{.tensors = {}, .factor = 1 / static_cast<float>(communicator_->size())};
  for (const PersistentTensor& tensor : gradients.persistent()) {
    const bool averaged = tensor.role == Role::buffer && tensor.is_updated && tensor.spec.kind != Kind::index;
    if (averaged) statistics.tensors.push_back(tensor);
  }
  if (!statistics.tensors.empty()) buckets_.push_back(std::move(statistics));
  for (Bucket& bucket : buckets_) {
    std::size_t count = 0;
    for (const PersistentTensor& tensor : bucket.tensors) count += elements_of(tensor);
    bucket.values = std::make_shared<std::vector<float>>(count);
  }
}

void GradientExchange::start_next() {
  start(buckets_.at(started_++));
}

void GradientExchange::start_rest() {
  while (started_ < buckets_.size()) start_next();
}

void GradientExchange::start(Bucket& bucket) {
  auto* to = reinterpret_cast<std::byte*>(bucket.values->data());
  for (const PersistentTensor& tensor : bucket.tensors) {
    store_.read(tensor.name, {to, DType::f32, tensor.spec.shape});
    to += elements_of(tensor) * sizeof(float);
  }
  bucket.done = communicator_->start_sum(bucket.values);
}

void GradientExchange::finish() {
  start_rest();
  for (Bucket& bucket : buckets_) {
    bucket.done.get();
    if (bucket.factor != 1) {
      for (float& value : *bucket.values) value *= bucket.factor;
    }
    const auto* from = reinterpret_cast<const std::byte*>(bucket.values->data());
    for (const PersistentTensor& tensor : bucket.tensors) {
      store_.write(tensor.name, {from, DType::f32, tensor.spec.shape});
      from += elements_of(tensor) * sizeof(float);
    }
  }
  started_ = 0;
}

}  // namespace tpn
