#include "engine/finetuning/run_state.h"

#include <utility>

#include "engine/model/json_reader.h"

namespace tpn {
namespace {

/// Specialised for what has named fields.
template <class T>
struct Fields {
  static constexpr bool any = false;
};

template <class T>
concept WithFields = Fields<T>::any;

template <>
struct Fields<Accuracy> {
  static constexpr bool any = true;
  template <class Visit>
  static void visit(const Visit& visit) {
    visit("loss", &Accuracy::loss);
    visit("top1", &Accuracy::top1);
    visit("top5", &Accuracy::top5);
    visit("mean_class", &Accuracy::mean_class);
  }
};

template <>
struct Fields<EpochRecord> {
  static constexpr bool any = true;
  template <class Visit>
  static void visit(const Visit& visit) {
    visit("epoch", &EpochRecord::epoch);
    visit("loss", &EpochRecord::loss);
    visit("top1", &EpochRecord::top1);
    visit("learning_rate", &EpochRecord::learning_rate);
    visit("validated", &EpochRecord::validated);
    visit("validation", &EpochRecord::validation);
  }
};

template <>
struct Fields<RunState> {
  static constexpr bool any = true;
  template <class Visit>
  static void visit(const Visit& visit) {
    visit("data_digest", &RunState::data_digest);
    visit("epochs", &RunState::epochs);
    visit("clips", &RunState::clips);
    visit("learned", &RunState::learned);
    visit("steps", &RunState::steps);
    visit("loss_scale", &RunState::loss_scale);
    visit("steps_at_scale", &RunState::steps_at_scale);
    visit("loss_sum", &RunState::loss_sum);
    visit("correct", &RunState::correct);
    visit("best_epoch", &RunState::best_epoch);
    visit("worse_validations", &RunState::worse_validations);
    visit("finished", &RunState::finished);
    visit("history", &RunState::history);
  }
};

template <class T>
nlohmann::ordered_json write(const std::vector<T>& values);

template <class T>
nlohmann::ordered_json write(const T& value) {
  if constexpr (WithFields<T>) {
    nlohmann::ordered_json json;
    Fields<T>::visit([&](const char* name, auto member) { json[name] = write(value.*member); });
    return json;
  } else {
    return value;
  }
}

template <class T>
nlohmann::ordered_json write(const std::vector<T>& values) {
  nlohmann::ordered_json json = nlohmann::json::array();
  for (const T& value : values) json.push_back(write(value));
  return json;
}

void read(const JsonField& field, bool& value) {
  value = field.boolean();
}
void read(const JsonField& field, std::string& value) {
  value = field.text();
}
void read(const JsonField& field, double& value) {
  value = field.number();
}
void read(const JsonField& field, int& value) {
  value = field.integer();
}
void read(const JsonField& field, std::int64_t& value) {
  const double number = field.number();
  constexpr double exact = 0x1p53;
  if (!(number >= 0 && number < exact)) throw Error(field.path() + " must be a count.");
  value = static_cast<std::int64_t>(number);
}
template <class T>
void read(const JsonField& field, std::vector<T>& values);

template <WithFields T>
void read(const JsonField& field, T& value) {
  Fields<T>::visit([&](const char* name, auto member) { read(field.at(name), value.*member); });
}

template <class T>
void read(const JsonField& field, std::vector<T>& values) {
  for (const JsonField& element : field.elements()) read(element, values.emplace_back());
}

}  // namespace

std::string to_json(const RunState& state) {
  nlohmann::ordered_json json = write(state);
  json["recipe"] = nlohmann::ordered_json::parse(to_json(state.recipe));
  return json.dump();
}

RunState parse_run_state(std::string_view json, const std::string& name) try {
  const nlohmann::json document = parse_json(json).value_or_throw();
  RunState state;
  read(JsonField(document, ""), state);
  state.recipe = parse_recipe(document.at("recipe").dump(), name);
  return state;
} catch (const Error& error) {
  throw Error("The state of the run in " + name + " cannot be read: " + error.what());
} catch (const nlohmann::json::exception&) {
  throw Error("The state of the run in " + name + " has no recipe.");
}

}  // namespace tpn
