#include "weights_converter/find_weights.h"

#include <algorithm>
#include <array>
#include <optional>

#include "engine/model/text.h"
#include "weights_converter/tensor_record.h"

namespace tpn {
namespace {

using Entries = std::vector<std::pair<PickleValue, PickleValue>>;

/// Looked at in search of tensors, all dictionaries together: more than any checkpoint has.
constexpr std::size_t max_entries = std::size_t{1} << 21;

constexpr std::array<std::string_view, 11> usual_keys{
    "state_dict", "model_state_dict", "model_state", "model_weights", "model", "net_state_dict",
    "net",        "network",          "module",      "weights",       "params"};

constexpr const char* arrays = "its arrays are NumPy's; save them as tensors (torch.from_numpy)";

struct Place {
  std::string path;
  PickleValue dictionary;
};

std::string_view first_key(std::string_view path) {
  return path.substr(0, path.find('/'));
}

std::string_view last_key(std::string_view path) {
  return path.substr(path.find('/') + 1);  // the whole path where it has one key
}

/// Weights averaged over training: they stand beside those of the last step.
bool is_averaged(std::string_view path) {
  const auto has = [&](std::string_view part) { return path.find(part) != std::string_view::npos; };
  return has("ema") || has("swa") || has("averag");
}

/// What an optimizer keeps of each parameter is no weight.
bool is_training_state(std::string_view key) {
  const auto has = [&](std::string_view part) { return key.find(part) != std::string_view::npos; };
  return has("optim") || has("sched") || has("scaler") || key == "meta" || key == "message_hub";
}

bool holds_tensors(const Entries& entries) {
  return std::ranges::any_of(entries,
                             [](const auto& entry) { return entry.first.text() && is_tensor(entry.second); });
}

/// Every dictionary of tensors down to two keys below the root, in file order.
class Search {
 public:
  explicit Search(const PickleValue& root) { visit(root, "", 0); }
  [[nodiscard]] const std::vector<Place>& places() const { return places_; }

 private:
  void visit(const PickleValue& dictionary, const std::string& path, int depth) {
    constexpr int deepest = 2;
    if (seen_ > max_entries) return;
    const Entries entries = dictionary.entries();
    seen_ += entries.size() + 1;
    if (holds_tensors(entries)) {
      places_.push_back({path, dictionary});
      if (depth > 0) return;
    }
    if (depth == deepest) return;
    for (const auto& [key, value] : entries) {
      const auto name = key.text();
      if (!name || !is_utf8(*name) || !value.is_dictionary() || is_training_state(*name)) continue;
      visit(value, path.empty() ? std::string(*name) : path + '/' + std::string(*name), depth + 1);
    }
  }

  std::vector<Place> places_;
  std::size_t seen_ = 0;
};

std::string quoted_list(const std::vector<Place>& places) {
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(places.size(), most); ++i) {
    text += (i == 0 ? "" : ", ") + (places[i].path.empty() ? "the file itself" : in_quotes(places[i].path));
  }
  return places.size() > most ? text + " and others" : text;
}

/// The place of that path, or the first one below that key.
const Place* at_path(const std::vector<Place>& places, std::string_view wanted) {
  auto found = std::ranges::find(places, wanted, &Place::path);
  if (found == places.end()) {
    found = std::ranges::find_if(places, [&](const Place& p) { return first_key(p.path) == wanted; });
  }
  return found == places.end() ? nullptr : &*found;
}

/// The place that weights are taken from unasked; nullptr when several would do as well as another.
const Place* choose(const std::vector<Place>& places) {
  for (const std::string_view key : usual_keys) {
    for (const Place& place : places) {
      const bool usual = first_key(place.path) == key || last_key(place.path) == key;
      if (usual && !is_averaged(place.path)) return &place;
    }
  }
  if (const Place* const root = at_path(places, "")) return root;
  if (places.size() == 1) return &places.front();
  const auto averaged = std::ranges::count_if(places, is_averaged, &Place::path);
  if (static_cast<std::size_t>(averaged) != places.size()) return nullptr;
  return averaged > 0 ? &places.front() : nullptr;
}

bool holds_arrays(const PickleValue& dictionary) {
  return std::ranges::any_of(dictionary.entries(), [](const auto& entry) { return is_array(entry.second); });
}

/// Why nothing was found: whole modules are often saved in place of their weights, sometimes arrays.
CheckpointFailure describe_absence(const PickleValue& root) {
  if (holds_arrays(root)) return no_state_dict(arrays);
  for (const std::string_view key : usual_keys) {
    const auto value = root.find(key);
    if (value && holds_arrays(*value)) return no_state_dict(arrays);
    if (value && value->kind() == PickleKind::object && !value->is_dictionary()) {
      return no_state_dict("under " + in_quotes(key) + " there is " + describe(*value) +
                           ", a whole object; save its state_dict() instead");
    }
  }
  return no_state_dict("none of its entries is one, or a tensor");
}

}  // namespace

CheckpointResult<FoundWeights> find_weights(const PickleValue& root, std::string_view wanted) {
  if (!root.is_dictionary()) {
    const bool is_object = root.kind() == PickleKind::object && !is_tensor(root);
    return no_state_dict("found " + describe(root) + (is_object ? ", a whole object" : "") +
                         "; save model.state_dict() rather than the model");
  }
  const Search search(root);
  const std::vector<Place>& places = search.places();
  const Place* chosen = nullptr;
  if (!wanted.empty()) {
    chosen = at_path(places, wanted);
    if (chosen == nullptr) {
      return CheckpointFailure(CheckpointError::no_such_weights,
                               "There are no weights under " + in_quotes(wanted) + "; " +
                                   (places.empty() ? "the file has none" : "there are in ") +
                                   quoted_list(places) + ".");
    }
  } else if (!places.empty()) {
    chosen = choose(places);
    if (chosen == nullptr) {
      return no_state_dict("there are several (" + quoted_list(places) + "); --weights says which");
    }
  } else if (const auto claimed = root.find("state_dict"); claimed && claimed->is_dictionary()) {
    return FoundWeights{"state_dict", claimed->entries(), {}};  // whoever reads it says what is wrong with it
  } else {
    return describe_absence(root);
  }
  FoundWeights found{chosen->path, chosen->dictionary.entries(), {}};
  for (const Place& place : places) {
    if (&place != chosen && !place.path.empty()) found.others.push_back(place.path);
  }
  return found;
}

}  // namespace tpn
