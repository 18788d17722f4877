#include "engine/train/gradient_exchange.h"

#include <utility>

namespace tpn {
namespace {

std::size_t bytes_of(const PersistentTensor& tensor) {
  return static_cast<std::size_t>(tensor.spec.shape.count()) * sizeof(float);
}

}  // namespace

GradientExchange::GradientExchange(std::shared_ptr<Communicator> communicator,
                                   std::shared_ptr<Collectives> collectives, ParameterStore& store,
                                   std::shared_ptr<const Plan> gradients)
    : communicator_(std::move(communicator)),
      collectives_(std::move(collectives)),
      store_(store),
      plan_(std::move(gradients)),
      stream_(plan_->backend().make_stream()) {
  for (const Step& step : plan_->steps()) {
    if (!std::holds_alternative<ops::Accumulate>(step.op)) continue;
    Bucket& bucket = buckets_.emplace_back();
    for (const Slot& sum : step.outputs) bucket.tensors.push_back(plan_->persistent()[sum.offset]);
  }
  Bucket statistics{.tensors = {}, .is_mean = true};
  for (const PersistentTensor& tensor : plan_->persistent()) {
    const bool averaged = tensor.role == Role::buffer && tensor.is_updated && tensor.spec.kind != Kind::index;
    if (averaged) statistics.tensors.push_back(tensor);
  }
  if (!statistics.tensors.empty()) buckets_.push_back(std::move(statistics));
  for (Bucket& bucket : buckets_) {
    if (collectives_) break;
    std::size_t bytes = 0;
    for (const PersistentTensor& tensor : bucket.tensors) bytes += bytes_of(tensor);
    bucket.memory = std::make_shared<const Buffer>(plan_->backend().allocate_staging(bytes));
  }
}

template <class Visit>
void GradientExchange::for_each(const Bucket& bucket, const Visit& visit) const {
  std::byte* place = bucket.memory->data();
  for (const PersistentTensor& tensor : bucket.tensors) {
    visit(place, store_.tensor(tensor.name, tensor.spec).data, bytes_of(tensor));
    place += bytes_of(tensor);
  }
}

void GradientExchange::start_next(Stream& computing) {
  stream_->wait_for(*computing.mark());
  enqueue_next();
  if (plan_->backend().uses_host_memory()) begin_sums();
}

void GradientExchange::start_rest(Stream& computing) {
  while (enqueued_ < buckets_.size()) start_next(computing);
  begin_sums();
}

void GradientExchange::enqueue_next() {
  Bucket& bucket = buckets_.at(enqueued_++);
  if (collectives_) {
    std::vector<TensorView> tensors;
    tensors.reserve(bucket.tensors.size());
    for (const PersistentTensor& tensor : bucket.tensors) {
      tensors.push_back(store_.tensor(tensor.name, tensor.spec));
    }
    using Reduction = Collectives::Reduction;
    return collectives_->reduce(tensors, bucket.is_mean ? Reduction::mean : Reduction::sum, *stream_);
  }
  for_each(bucket, [&](std::byte* place, const std::byte* stored, std::size_t bytes) {
    stream_->download(place, stored, bytes);
  });
  bucket.copied = stream_->mark();
}

void GradientExchange::begin_sums() {
  if (collectives_) return;
  for (; started_ < enqueued_; ++started_) {
    Bucket& bucket = buckets_[started_];
    bucket.copied->wait();
    bucket.done = communicator_->start_sum(bucket.values(), bucket.memory);
  }
}

void GradientExchange::finish() {
  while (enqueued_ < buckets_.size()) enqueue_next();
  begin_sums();
  for (Bucket& bucket : buckets_) {
    if (!collectives_) put_back(bucket);
    for (const PersistentTensor& tensor : bucket.tensors) store_.note_update(tensor.name);
  }
  stream_->synchronize();
  enqueued_ = started_ = 0;
}

void GradientExchange::put_back(Bucket& bucket) {
  bucket.done.get();
  if (bucket.is_mean) {
    const float factor = 1 / static_cast<float>(communicator_->size());
    for (float& value : bucket.values()) value *= factor;
  }
  for_each(bucket, [&](const std::byte* place, std::byte* stored, std::size_t bytes) {
    stream_->upload(stored, place, bytes);
  });
}

}  // namespace tpn
