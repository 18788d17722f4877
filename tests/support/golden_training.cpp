#include "tests/support/golden_training.h"

#include <cstring>
#include <random>

#include "kernels/convert.h"

namespace tpn::test {

namespace {

void disturb(const TensorView& views, std::uint32_t seed) {
  std::vector<float> values = to_floats(read_only(views));
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(1, 0x1p-9F);
  for (float& value : values) value *= normal(generator);
  convert(reinterpret_cast<const std::byte*>(values.data()), DType::f32, views.data, views.dtype,
          values.size());
}

}  // namespace

GoldenTraining::GoldenTraining(const GoldenName& which, const std::shared_ptr<const Weights>& weights,
                               std::string variant, std::shared_ptr<const Backend> backend,
                               PlanOptions planned)
    : golden_(Golden::load(which.directory, which.name)),
      config_(weights->config()),
      variant_(std::move(variant)) {
  const nlohmann::json& optimizer = golden_.record().at("optimizer");
  const TrainingOptions options{.form = {.dropout = 0, .frozen = {}},
                                .momentum = optimizer.at("momentum").get<double>(),
                                .weight_decay = optimizer.at("weight_decay").get<double>(),
                                .nesterov = optimizer.at("nesterov").get<bool>(),
                                .max_norm = golden_.record().at("clip_grad_norm").at(variant_).get<double>()};
  const Graph graph = build_training_graph(config_, input_size(golden_, config_), options);
  for (const auto& [name, id] : graph.features()) {
    if (name.starts_with("grad/")) planned.features.push_back(name);
  }
  const auto plan = std::make_shared<const Plan>(graph, backend, planned);
  store_ = std::make_shared<ParameterStore>(backend, plan->persistent());
  store_->load(*weights);
  executor_ = std::make_unique<Executor>(plan, store_);
}

void GoldenTraining::set_input(std::string_view name, double value) {
  const TensorView input = executor_->input(name);
  convert(reinterpret_cast<const std::byte*>(&value), DType::f64, input.data, input.dtype, 1);
}

void GoldenTraining::step(int index, std::uint32_t disturbance) {
  const TensorView labels = executor_->input(training_input::labels);
  const ConstTensorView all = golden_.tensor("labels");  // (3, N)
  std::memcpy(labels.data, all.data + static_cast<std::size_t>(index) * labels.bytes(), labels.bytes());
  set_input(training_input::learning_rate, golden_.record().at("optimizer").at("lr").get<double>());
  set_input(training_input::loss_scale, 1);
  const TensorView views = executor_->input();
  fill_views(golden_, config_, views);
  if (disturbance != 0) disturb(views, disturbance);
  executor_->run();

  const nlohmann::json& expected = golden_.record().at("expected").at(variant_).at(index);
  for (const char* name : {"loss_cls", "loss_aux", "grad_norm"}) {
    scalars_[name] = {executor_->feature(name).values.at(0), expected.at(name).get<double>()};
  }
  if (index == 0) {
    for (const std::string& name : golden_.names()) {
      if (name == "logits" || name == "aux_logits" || name.starts_with("grad/")) {
        features_.add(name, executor_->feature(name).values);
      }
    }
    add_persistent(Role::buffer, "bn1/");
  }
  if (index == 2) {
    add_persistent(Role::parameter, variant_ + "/param/");
    add_persistent(Role::buffer, variant_ + "/bn/");
  }
}

void GoldenTraining::add_persistent(Role role, const std::string& prefix) {
  for (const PersistentTensor& tensor : executor_->plan().persistent()) {
    if (tensor.role != role || tensor.spec.kind == Kind::index) continue;
    std::vector<float> values(static_cast<std::size_t>(tensor.spec.shape.count()));
    store_->read(tensor.name, {reinterpret_cast<std::byte*>(values.data()), DType::f32, tensor.spec.shape});
    features_.add(prefix + tensor.name, std::move(values));
  }
}

}  // namespace tpn::test
