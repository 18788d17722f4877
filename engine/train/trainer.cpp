#include "engine/train/trainer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "engine/parallel/parallel_backend.h"

namespace tpn {
namespace {

/// Copies values, in the order of the input, to it.
template <class T>
void fill(const TensorView& input, std::span<const T> values) {
  if (static_cast<std::int64_t>(values.size()) != input.shape.count()) {
    throw Error("A step of training takes " + std::to_string(input.shape.count()) +
                " values there; it was given " + std::to_string(values.size()) + ".");
  }
  std::memcpy(input.data, values.data(), values.size_bytes());
}

void set(const Executor& executor, std::string_view name, double value) {
  const auto number = static_cast<float>(value);
  fill(executor.input(name), std::span(&number, 1));
}

bool has_input(const Plan& plan, std::string_view name) {
  return std::ranges::any_of(plan.inputs(), [&](const auto& input) { return input.first == name; });
}

}  // namespace

std::vector<PersistentTensor> persistent_tensors(const Plan& step, const Plan* update) {
  std::vector<PersistentTensor> tensors = step.persistent();
  if (update == nullptr) return tensors;
  for (const PersistentTensor& tensor : update->persistent()) {
    const auto known = std::ranges::find(tensors, tensor.name, &PersistentTensor::name);
    if (known == tensors.end()) {
      tensors.push_back(tensor);
    } else {
      known->is_updated = known->is_updated || tensor.is_updated;
    }
  }
  return tensors;
}

Trainer::Trainer(const Config& config, const InputSize& size, const TrainingOptions& options,
                 const std::shared_ptr<const Backend>& backend, const PlanOptions& plan,
                 const Weights& weights, std::shared_ptr<Communicator> communicator,
                 std::shared_ptr<Collectives> collectives)
    : config_(config),
      size_(size),
      options_(options),
      backend_(backend),
      plan_options_(plan),
      communicator_(std::move(communicator)),
      collectives_(std::move(collectives)) {
  if ((communicator_ ? communicator_->size() : 1) != options.ranks) {
    throw Error("A trainer for " + std::to_string(options.ranks) + " processes was given another number.");
  }
  if (options.synchronized && !communicator_) throw Error("Batch norms are synchronized among processes.");
  if (options.synchronized) backend_ = make_parallel_backend(backend, communicator_, collectives_);
  const Graph graph = this->graph(size.views);
  auxiliary_ = std::ranges::count(graph.features(), "loss_aux", &std::pair<std::string, ValueId>::first) > 0;
  const std::shared_ptr<const Plan> step = this->plan(graph),
                                    update = options.grouped()
                                                 ? this->plan(build_update_graph(graph, options))
                                                 : nullptr;
  persistent_ = persistent_tensors(*step, update.get());
  store_ = std::make_shared<ParameterStore>(backend_, persistent_);
  std::erase_if(persistent_, [](const PersistentTensor& tensor) { return tensor.role == Role::gradient; });
  step->check_forms(weights);
  load(weights);
  if (update) update_ = std::make_unique<Executor>(update, store_);
  if (parallel()) exchange_ = std::make_unique<GradientExchange>(communicator_, collectives_, *store_, step);
  executors_[size.views] = std::make_unique<Executor>(step, store_);
}

std::shared_ptr<const Plan> Trainer::plan(const Graph& graph) const {
  return std::make_shared<const Plan>(graph, backend_, plan_options_);
}

Graph Trainer::graph(std::int64_t views) const {
  InputSize size = size_;
  size.views = views;
  return build_training_graph(config_, size, options_);
}

TensorView Trainer::views(std::int64_t count) {
  std::unique_ptr<Executor>& executor = executors_[count];
  if (!executor) {
    executor = std::make_unique<Executor>(plan(graph(count)), store_, usual().arena());
  }
  return executor->input();
}

void Trainer::load(const Weights& weights) {
  store_->load(weights);
  if (options_.average_decay == 0) return;
  for (const PersistentTensor& tensor : persistent_) {
    if (tensor.role == Role::parameter && tensor.is_updated) {
      const StoredParameter stored = weights.parameter(tensor.name, tensor.spec.shape);
      store_->write(average_name(tensor.name), stored.view);
      if (stored.release) stored.release();
    }
  }
}

void Trainer::restart(const Weights& weights) {
  plan().check_forms(weights);
  load(weights);
  steps_ = 0;
  group_ = {};
}

StepResult Trainer::step(std::span<const std::int64_t> labels, const StepOptions& options,
                         std::span<const float> class_weights) {
  Executor& executor = bind(labels, options, class_weights);
  executor.run();
  ++steps_;
  return result(executor);
}

StepResult Trainer::step_timed(std::span<const std::int64_t> labels, const StepOptions& options,
                               std::vector<double>& seconds, std::span<const float> class_weights) {
  Executor& executor = bind(labels, options, class_weights);
  seconds = executor.run_timed();
  ++steps_;
  return result(executor);
}

StepResult Trainer::add(std::span<const std::int64_t> labels, const StepOptions& options, bool last,
                        std::span<const float> class_weights) {
  StepResult found;
  if (!labels.empty() || options_.synchronized) {
    Executor& executor = labels.empty() ? bind_stand_in(class_weights) : bind(labels, options, class_weights);
    if (last && exchange_) {
      executor.start([&](const Step& step) {
        if (std::holds_alternative<ops::Accumulate>(step.op)) exchange_->start_next(executor.stream());
      });
      exchange_->start_rest(executor.stream());
      executor.stream().synchronize();
    } else {
      executor.run();
    }
    group_.has_sums = true;
    if (!labels.empty()) found = result(executor);
  }
  ++group_.batches;
  const double weight = weight_of(labels, class_weights);
  group_.weight += weight;
  group_.loss += weight * found.loss;
  group_.auxiliary_loss += weight * found.auxiliary_loss;
  return found;
}

StepResult Trainer::update(const StepOptions& options) {
  std::array<double, 3> sums{group_.weight, group_.loss, group_.auxiliary_loss};
  if (exchange_) {
    if (!group_.has_sums) store_->clear(Role::gradient);
    exchange_->finish();
    communicator_->sum(sums);
  }
  group_ = {};
  const auto [weight, loss, auxiliary_loss] = sums;
  if (weight == 0) return {};
  set(*update_, training_input::learning_rate, options.learning_rate);
  set(*update_, training_input::loss_scale, options.loss_scale * weight);
  update_->run();
  ++steps_;
  return {.loss = loss / weight,
          .auxiliary_loss = auxiliary_loss / weight,
          .gradient_norm = static_cast<double>(update_->feature("grad_norm").values.at(0)),
          .logits = {}};
}

double Trainer::weight_of(std::span<const std::int64_t> labels, std::span<const float> class_weights) const {
  double weight = 0;
  for (const std::int64_t label : labels) {
    weight +=
        options_.class_weights ? static_cast<double>(class_weights[static_cast<std::size_t>(label)]) : 1;
  }
  return weight / static_cast<double>(size_.views);
}

Executor& Trainer::bind_stand_in(std::span<const float> class_weights) {
  const TensorView clips = views();
  std::memset(clips.data, 0, clips.bytes());
  const std::vector<std::int64_t> labels(static_cast<std::size_t>(size_.views));
  Executor& executor = bind(labels, {}, class_weights);
  set(executor, training_input::loss_scale, 0);
  set(executor, training_input::present, 0);
  return executor;
}

std::optional<std::string> Trainer::first_not_finite(std::span<const std::int64_t> labels,
                                                     const StepOptions& options,
                                                     std::span<const float> class_weights) {
  return bind(labels, options, class_weights).first_not_finite();
}

Executor& Trainer::bind(std::span<const std::int64_t> labels, const StepOptions& options,
                        std::span<const float> class_weights) {
  const auto found = executors_.find(static_cast<std::int64_t>(labels.size()));
  if (found == executors_.end() || !found->second) {
    throw Error("A step was given " + std::to_string(labels.size()) +
                " labels; there are no views for them.");
  }
  Executor& executor = *found->second;
  const std::int64_t classes = config_.head.num_classes;
  for (const std::int64_t label : labels) {
    if (label >= 0 && label < classes) continue;
    throw Error("There is no class " + std::to_string(label) + "; the model has " + std::to_string(classes) +
                ", counted from 0.");
  }
  fill(executor.input(training_input::labels), labels);
  if (has_input(executor.plan(), training_input::class_weights)) {
    fill(executor.input(training_input::class_weights), class_weights);
  }
  if (has_input(executor.plan(), training_input::random_state)) {
    // Every batch of every rank draws others.
    const std::int64_t batch = steps_ * options_.batches + group_.batches;
    const std::int64_t rank = parallel() ? communicator_->rank() : 0;
    const std::array<std::int64_t, 2> state{options.seed, batch * options_.ranks + rank};
    fill(executor.input(training_input::random_state), std::span<const std::int64_t>(state));
  }
  double scale = options.loss_scale;
  if (options_.grouped()) {
    scale *= weight_of(labels, class_weights);
    set(executor, training_input::keep, group_.has_sums ? 1 : 0);
  } else {
    set(executor, training_input::learning_rate, options.learning_rate);
  }
  set(executor, training_input::loss_scale, scale);
  if (options_.synchronized) set(executor, training_input::present, 1);
  return executor;
}

StepResult Trainer::result(const Executor& executor) const {
  const auto number = [&](std::string_view name) {
    return static_cast<double>(executor.feature(name).values.at(0));
  };
  const double auxiliary = auxiliary_ ? number("loss_aux") : 0;
  return {.loss = number("loss_cls") + auxiliary,
          .auxiliary_loss = auxiliary,
          .gradient_norm = options_.grouped() ? 0 : number("grad_norm"),
          .logits = executor.feature("logits").values};
}

}  // namespace tpn
