#include "engine/finetuning/recipe.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <fstream>
#include <iterator>
#include <type_traits>

#include "engine/finetuning/class_weights.h"
#include "engine/finetuning/recipe_fields.h"
#include "engine/model/json_reader.h"
#include "kernels/precision_info.h"

namespace tpn {
namespace {

template <class T>
nlohmann::ordered_json value_to_json(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return recipe_name(value);
  } else {
    return value;
  }
}

void require_in_range(const JsonField& field, double value, const FieldRange& range) {
  if (value >= range.least && value <= range.most) return;
  if (range.automatic && value == automatic_number) return;
  throw Error(field.path() + " must lie between " + nlohmann::json(range.least).dump() + " and " +
              nlohmann::json(range.most).dump() + (range.automatic ? ", or be -1 for automatic" : "") +
              "; it is " + nlohmann::json(value).dump() + ".");
}

template <class T>
void read_value(const JsonField& field, const FieldRange& range, T& value) {
  if constexpr (std::is_enum_v<T>) {
    const std::optional<T> named = recipe_value<T>(field.text());
    if (!named) {
      std::string all;
      for (const std::string& name : names_of<T>()) all += (all.empty() ? "" : ", ") + name;
      throw Error(field.path() + " must be one of " + all + "; it is '" + field.text() + "'.");
    }
    value = *named;
  } else if constexpr (std::same_as<T, bool>) {
    value = field.boolean();
  } else if constexpr (std::same_as<T, std::string>) {
    value = field.text();
  } else if constexpr (std::same_as<T, std::vector<int>>) {
    value = field.integers();
    for (const int number : value) require_in_range(field, number, range);
  } else {
    const double number = field.number();
    require_in_range(field, number, range);
    if (std::integral<T> && number != std::floor(number)) {
      throw Error(field.path() + " must be a whole number; it is " + nlohmann::json(number).dump() + ".");
    }
    value = static_cast<T>(number);
  }
}

}  // namespace

template <>
const std::vector<std::string>& names_of<Freeze>() {
  static const std::vector<std::string> names{"auto", "none", "stem", "1", "2", "3", "4", "backbone", "neck"};
  return names;
}
template <>
const std::vector<std::string>& names_of<Augment>() {
  static const std::vector<std::string> names{"auto", "reference", "light", "none"};
  return names;
}
template <>
const std::vector<std::string>& names_of<NormMode>() {
  static const std::vector<std::string> names{"train", "eval"};
  return names;
}
template <>
const std::vector<std::string>& names_of<Schedule>() {
  static const std::vector<std::string> names{"multistep", "cosine"};
  return names;
}
template <>
const std::vector<std::string>& names_of<Precision>() {
  static const std::vector<std::string> names = precision_names();
  return names;
}

std::string to_json(const Recipe& recipe) {
  nlohmann::ordered_json json;
  visit_recipe_fields(
      [&](const char* name, auto member, const FieldRange&) { json[name] = value_to_json(recipe.*member); });
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

Recipe parse_recipe(std::string_view json, const std::string& name, const Recipe& base) try {
  const nlohmann::json document = parse_json(json).value_or_throw();
  const JsonField root(document, "");
  std::vector<std::string> known;
  Recipe recipe = base;
  visit_recipe_fields([&](const char* field, auto member, const FieldRange& range) {
    known.emplace_back(field);
    if (const auto found = root.find(field)) read_value(*found, range, recipe.*member);
  });
  for (const auto& [key, value] : document.items()) {
    if (std::ranges::find(known, key) == known.end())
      throw Error("there is no field '" + key + "' in a recipe.");
  }
  return recipe;
} catch (const Error& error) {
  throw Error("The recipe " + name + " cannot be used: " + error.what());
}

Recipe load_recipe(const std::filesystem::path& path, const Recipe& base) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw Error("The recipe " + path.string() + " cannot be read.");
  return parse_recipe(text, path.string(), base);
}

std::vector<std::string> frozen_modules(Freeze freeze) {
  switch (freeze) {
    case Freeze::automatic:
      break;
    case Freeze::none:
      return {};
    case Freeze::backbone:
      return {"backbone"};
    case Freeze::neck:
      return {"backbone", "neck"};
    default: {
      std::vector<std::string> modules{"backbone.conv1"};
      const int layers = static_cast<int>(freeze) - static_cast<int>(Freeze::stem);
      for (int i = 1; i <= layers; ++i) modules.push_back("backbone.layer" + std::to_string(i));
      return modules;
    }
  }
  throw Error("What is frozen has not been decided.");
}

bool learns_classifier_only(const Recipe& recipe) {
  return recipe.freeze == Freeze::neck && recipe.augment != Augment::reference;
}

std::int64_t update_clips(const Recipe& recipe) {
  return std::int64_t{recipe.batch} * recipe.accumulate * std::max(recipe.ranks, 1);
}

Recipe resolved(Recipe recipe, std::int64_t clips, std::int64_t parameters) {
  constexpr std::int64_t few = 1000, many = 10000, few_parameters = 5'000'000;
  const bool small = parameters < few_parameters;
  if (recipe.freeze == Freeze::automatic) {
    recipe.freeze = recipe.init == start::scratch || small ? Freeze::none
                    : clips < few                          ? Freeze::neck
                    : clips < many                         ? Freeze::layer3
                                                           : Freeze::none;
  }
  if (recipe.augment == Augment::automatic) {
    recipe.augment = recipe.freeze == Freeze::neck ? Augment::light : Augment::reference;
    if (recipe.augment == Augment::reference && small && recipe.crop_area == automatic_number) {
      recipe.crop_area = 0.4;
    }
  }
  if (recipe.epochs == 0) {
    const std::int64_t updates = small ? 2000 : 1000, least = 20, most = small ? 250 : 150;
    const std::int64_t of_epoch = (clips + update_clips(recipe) - 1) / update_clips(recipe);
    recipe.epochs = static_cast<int>(std::clamp((updates + of_epoch - 1) / of_epoch, least, most));
  }
  if (recipe.val_every == 0) recipe.val_every = std::max(1, recipe.epochs / 20);
  if (recipe.lr == automatic_number) {
    const double of_eight = recipe.freeze == Freeze::neck ? 0.01 : small ? 0.03 : 0.0025;
    recipe.lr = of_eight * static_cast<double>(update_clips(recipe)) / 8;
  } else if (recipe.auto_scale_lr) {
    recipe.lr *= static_cast<double>(update_clips(recipe)) / 64;
  }
  recipe.auto_scale_lr = false;
  recipe.class_weights = with_numbers(recipe.class_weights);
  if (recipe.milestones.empty() && recipe.schedule == Schedule::multistep) {
    recipe.milestones = {recipe.epochs / 2, recipe.epochs * 5 / 6};
  }
  return recipe;
}

}  // namespace tpn
