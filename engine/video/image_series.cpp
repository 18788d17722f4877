#include "engine/video/image_series.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "engine/model/text.h"
#include "engine/video/image_kind.h"
#include "engine/video/media_names.h"
#include "engine/video/natural_order.h"
#include "engine/video/quantity.h"
#include "kernels/error.h"

namespace tpn {
namespace {

/// A name cut at its numbers, those of its ending excepted. A fraction (0.033) is one number.
struct Name {
  std::string text;
  std::string shape;                 // the numbers' places marked
  std::vector<std::size_t> begins;   // of the numbers
  std::vector<std::string> numbers;  // digits
};

constexpr char place = '\0';

Name parse(const std::string& text) {
  Name name{text, {}, {}, {}};
  const std::size_t end = std::min(text.rfind('.'), text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (i >= end || !is_digit(text[i])) {
      if (i < end) name.shape += text[i];
      ++i;
      continue;
    }
    const std::size_t begin = i;
    const auto goes_on = [&] {
      return is_digit(text[i]) || (text[i] == '.' && i + 1 < end && is_digit(text[i + 1]));
    };
    while (i < end && goes_on()) ++i;
    name.shape += place;
    name.begins.push_back(begin);
    name.numbers.push_back(text.substr(begin, i - begin));
  }
  return name;
}

std::optional<std::uint64_t> value_of(const std::string& digits) {
  if (digits.empty() || digits.size() > most_digits || !std::ranges::all_of(digits, is_digit)) return {};
  return std::stoull(digits);
}

struct Series {
  std::vector<const Name*> images;  // in order
  std::size_t number = 0;           // which number of the names counts the frames
  bool numbered = false;
  std::string kind;  // "optical flow"; empty for what may be frames

  [[nodiscard]] std::size_t size() const { return images.size(); }
  [[nodiscard]] const std::string& digits(std::size_t i) const { return images[i]->numbers[number]; }

  /// Printf's pattern of its names, or its only name.
  [[nodiscard]] std::string pattern() const {
    const Name& first = *images.front();
    if (!numbered || size() == 1) return first.text;
    std::size_t width = 0;
    for (std::size_t i = 0; i < size(); ++i) {
      if (digits(i).size() > 1 && digits(i).front() == '0') width = digits(i).size();
    }
    std::string text = first.text;
    std::string conversion = width > 0 ? "%0" + std::to_string(width) + "d" : "%d";
    if (!value_of(digits(0))) conversion = "*";
    return text.replace(first.begins[number], digits(0).size(), conversion);
  }
};

/// x and y, or u and v, alone in otherwise equal names are the two parts of optical flow.
void find_flow_pairs(std::span<Series> all) {
  const auto swapped = [](const Series& series, char from, char to) {
    std::string shape = series.images.front()->shape;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      const auto is_letter = [&](std::size_t at) {
        return at < shape.size() &&
               ((shape[at] >= 'a' && shape[at] <= 'z') || (shape[at] >= 'A' && shape[at] <= 'Z'));
      };
      if (shape[i] == from && !is_letter(i + 1) && !(i > 0 && is_letter(i - 1))) {
        shape[i] = to;
        return shape;
      }
    }
    return std::string();
  };
  for (const auto& [first, second] : {std::pair{'x', 'y'}, {'X', 'Y'}, {'u', 'v'}, {'U', 'V'}}) {
    for (Series& a : all) {
      const std::string wanted = swapped(a, first, second);
      for (Series& b : all) {
        if (wanted.empty() || b.images.front()->shape != wanted || b.size() != a.size() || a.size() < 2)
          continue;
        a.kind = b.kind = "optical flow";
      }
    }
  }
}

/// Which of the numbers of names of one shape counts frames: the one that differs; of several, one that is
/// unique to each name, and of such the densest. None when the names are several series.
std::optional<std::size_t> counting_number(const std::vector<const Name*>& names) {
  const std::size_t numbers = names.front()->numbers.size();
  std::vector<std::size_t> varying;
  std::vector<std::size_t> unique;
  std::map<std::size_t, std::uint64_t> spans;
  for (std::size_t n = 0; n < numbers; ++n) {
    std::set<std::string> different;
    std::uint64_t least = UINT64_MAX;
    std::uint64_t most = 0;
    for (const Name* name : names) {
      different.insert(name->numbers[n]);
      const std::uint64_t value = value_of(name->numbers[n]).value_or(UINT64_MAX);
      least = std::min(least, value);
      most = std::max(most, value);
    }
    if (different.size() == 1) continue;
    varying.push_back(n);
    spans[n] = most - least;
    if (different.size() == names.size()) unique.push_back(n);
  }
  if (varying.empty()) return numbers - 1;
  if (varying.size() == 1) return varying.front();
  if (unique.empty()) return {};
  return *std::ranges::min_element(unique, {}, [&](std::size_t n) { return spans.at(n); });
}

bool by_number(const Name* a, const Name* b, std::size_t number) {
  if (a->numbers[number] != b->numbers[number]) return natural_less(a->numbers[number], b->numbers[number]);
  return natural_less(a->text, b->text);
}

bool has_number_twice(const Series& series) {
  for (std::size_t i = 1; i < series.size(); ++i) {
    const auto value = value_of(series.digits(i));
    if (value && value == value_of(series.digits(i - 1))) return true;
  }
  return false;
}

/// Adds images that differ in `number` alone: one series, or if a number is there twice, one for each ending
/// and way of padding.
void add_series(const std::vector<const Name*>& names, std::size_t number, std::vector<Series>& all) {
  Series series;
  series.images = names;
  series.number = number;
  series.numbered = true;
  std::ranges::sort(series.images,
                    [number](const Name* a, const Name* b) { return by_number(a, b, number); });
  if (!has_number_twice(series)) {
    all.push_back(std::move(series));
    return;
  }
  std::map<std::pair<std::string, std::size_t>, Series> parts;
  for (const Name* name : series.images) {
    const std::string& digits = name->numbers[number];
    const std::size_t padded = digits.size() > 1 && digits.front() == '0' ? digits.size() : 0;
    Series& part = parts[{ending_of(name->text), padded}];
    part.images.push_back(name);
    part.number = number;
    part.numbered = true;
  }
  for (auto& [key, part] : parts) all.push_back(std::move(part));
}

/// Adds images of one shape.
void add_group(const std::vector<const Name*>& group, std::vector<Series>& all) {
  if (const auto number = counting_number(group)) {
    add_series(group, *number, all);
    return;
  }
  // The last number that differs counts, the others tell the series apart.
  const Name& first = *group.front();
  std::size_t last = first.numbers.size() - 1;
  const auto is_the_same = [&](const Name* name) { return name->numbers[last] == first.numbers[last]; };
  while (std::ranges::all_of(group, is_the_same)) --last;
  std::map<std::vector<std::string>, std::vector<const Name*>> parts;
  for (const Name* name : group) {
    std::vector<std::string> rest = name->numbers;
    rest[last].clear();
    parts[rest].push_back(name);
  }
  for (const auto& [rest, part] : parts) add_series(part, last, all);
}

std::vector<Series> find_series(const std::vector<Name>& names) {
  std::map<std::string, std::vector<const Name*>> by_shape;
  std::vector<Series> all;
  for (const Name& name : names) {
    if (name.numbers.empty()) {
      all.push_back({{&name}, 0, false, {}});
    } else {
      by_shape[name.shape].push_back(&name);
    }
  }
  for (const auto& [shape, group] : by_shape) add_group(group, all);
  for (Series& series : all) series.kind = kind_by_words(series.images.front()->shape);
  find_flow_pairs(all);
  std::ranges::sort(all, [](const Series& a, const Series& b) {
    return natural_less(a.images.front()->text, b.images.front()->text);
  });
  return all;
}

/// The patterns of series, or where there are many, of the first.
std::string list_of(const std::vector<const Series*>& all, bool with_sizes) {
  constexpr std::size_t most = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) {
    text += (i > 0 ? ", " : "") + all[i]->pattern();
    if (with_sizes) text += " (" + std::to_string(all[i]->size()) + ")";
  }
  return all.size() > most ? text + " and " + std::to_string(all.size() - most) + " more" : text;
}

std::vector<std::string> names_of(const Series& series) {
  std::vector<std::string> names;
  names.reserve(series.images.size());
  for (const Name* name : series.images) names.push_back(name->text);
  return names;
}

/// A clause about numbers that are missing from a series that otherwise goes up in equal steps; empty when
/// none is.
std::string gaps_of(const Series& series) {
  std::vector<std::uint64_t> values;
  for (std::size_t i = 0; series.numbered && i < series.size(); ++i) {
    const auto value = value_of(series.digits(i));
    if (!value) return {};
    values.push_back(*value);
  }
  if (values.size() < 3) return {};
  std::uint64_t step = UINT64_MAX;
  for (std::size_t i = 1; i < values.size(); ++i) step = std::min(step, values[i] - values[i - 1]);
  std::uint64_t missing = 0;
  std::size_t gaps = 0;
  std::string first;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const std::uint64_t distance = values[i] - values[i - 1];
    if (step == 0 || distance % step != 0) return {};  // times rather than numbers
    const std::uint64_t lacking = distance / step - 1;
    if (lacking == 0) continue;
    missing += lacking;
    constexpr std::size_t most = 3;
    if (++gaps > most) continue;
    const auto numbered = [&](std::uint64_t value) {
      std::string digits = std::to_string(value);
      const std::size_t width = series.digits(i).size();
      if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
      const Name& like = *series.images[i];
      return std::string(like.text).replace(like.begins[series.number], width, digits);
    };
    first += (first.empty() ? "" : ", ") + numbered(values[i - 1] + step);
    if (lacking > 1) first += " to " + numbered(values[i] - step);
    if (gaps == most) first += " ...";
  }
  if (missing == 0 || missing > values.size()) return {};
  return "by their numbers " + std::to_string(missing) + (missing == 1 ? " frame is" : " frames are") +
         " missing (" + first + "); the others are taken without a break";
}

FrameNames take(const Series& series, const std::string& folder) {
  FrameNames result{names_of(series), {}};
  if (const std::string gaps = gaps_of(series); !gaps.empty())
    result.warnings.push_back(folder + ": " + gaps + ".");
  return result;
}

FrameNames choose_by_pattern(const std::vector<Name>& names, const std::string& folder,
                             const FramePattern& pattern) {
  Series series;
  std::vector<Name> fitting;
  for (const Name& name : names) {
    const auto digits = pattern.match(name.text);
    if (!digits) continue;
    if (pattern.has_number()) {
      const auto begin = static_cast<std::size_t>(digits->data() - name.text.data());
      fitting.push_back({name.text, {}, {begin}, {std::string(*digits)}});
    } else {
      fitting.push_back(name);
    }
  }
  if (fitting.empty()) {
    throw Error(folder + ": none of its " + std::to_string(names.size()) + " files is named like " +
                pattern.text() + ".");
  }
  for (const Name& name : fitting) series.images.push_back(&name);
  series.numbered = pattern.has_number();
  std::ranges::sort(series.images, [&](const Name* a, const Name* b) {
    return series.numbered ? by_number(a, b, 0) : natural_less(a->text, b->text);
  });
  return take(series, folder);
}

/// Names of the files that may be frames.
std::vector<std::string> images_in(const std::filesystem::path& folder, bool by_pattern) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    std::string name = entries->path().filename().string();
    if (is_clutter(name) || (!by_pattern && !has_image_ending(name))) continue;
    std::error_code ignored;
    if (entries->is_regular_file(ignored)) names.push_back(std::move(name));
  }
  if (error) throw Error(folder.string() + ": the folder cannot be read (" + error.message() + ").");
  return names;
}

}  // namespace

FrameNames choose_frames(std::vector<std::string> names, const std::string& folder,
                         const std::optional<FramePattern>& pattern) {
  std::vector<Name> parsed;
  parsed.reserve(names.size());
  for (const std::string& name : names) parsed.push_back(parse(name));
  if (pattern) return choose_by_pattern(parsed, folder, *pattern);

  const std::vector<Series> all = find_series(parsed);
  std::vector<const Series*> others;   // flow and the like
  std::vector<const Series*> singles;  // images without a series
  std::vector<const Series*> long_ones;
  for (const Series& series : all) {
    if (all.size() > 1 && !series.kind.empty()) {
      others.push_back(&series);
    } else {
      (series.size() == 1 ? singles : long_ones).push_back(&series);
    }
  }
  const auto unclear = [&](const std::vector<const Series*>& which) -> Error {
    return Error(folder + ": it holds several series of images, and it is not clear which is the video: " +
                 list_of(which, true) + "; say which with --frames '" + which.front()->pattern() + "'.");
  };
  const auto is_long = [](const Series* series) { return series->size() > 1; };
  if (long_ones.empty() && (singles.empty() || std::ranges::any_of(others, is_long)) && !others.empty()) {
    others.insert(others.end(), singles.begin(), singles.end());
    throw unclear(others);
  }
  if (long_ones.size() > 1) throw unclear(long_ones);
  if (long_ones.size() == 1 && long_ones.front()->size() <= singles.size()) {
    std::vector<const Series*> both = long_ones;
    both.insert(both.end(), singles.begin(), singles.end());
    throw unclear(both);
  }

  FrameNames result;
  if (!long_ones.empty()) {
    result = take(*long_ones.front(), folder);
  } else {
    std::swap(result.names, names);
    for (const Series* series : others) {
      for (const Name* name : series->images) std::erase(result.names, name->text);
    }
    std::ranges::sort(result.names, natural_less);
    singles.clear();
  }
  if (!others.empty()) {
    std::set<std::string> kinds;
    for (const Series* series : others) kinds.insert(series->kind);
    std::string text;
    for (const std::string& kind : kinds) text += (text.empty() ? "" : ", ") + kind;
    result.warnings.push_back(
        folder + ": " + text + " (" + list_of(others, false) + ") was left out; the frames are " +
        (long_ones.empty() ? result.names.front() : long_ones.front()->pattern()) + ".");
  }
  if (!singles.empty()) {
    result.warnings.push_back(folder + ": " + list_of(singles, false) + " was left out; the frames are " +
                              long_ones.front()->pattern() + ".");
  }
  return result;
}

FrameNames find_frames(const std::filesystem::path& folder, const std::optional<FramePattern>& pattern) {
  std::vector<std::string> names = images_in(folder, pattern.has_value());
  if (names.empty()) {
    throw Error(folder.string() + ": the folder holds no images (jpg, jpeg, png, bmp, webp).");
  }
  return choose_frames(std::move(names), folder.string(), pattern);
}

std::vector<std::string> counted_frames(const std::filesystem::path& folder, std::vector<std::string> names,
                                        const std::optional<FramePattern>& pattern, std::int64_t first,
                                        std::int64_t count) {
  const auto found = std::ssize(names);
  if (found < count) {
    throw Error(folder.string() + ": the folder holds " + count_of(found, "frame") + ", but " +
                std::to_string(count) + " are expected.");
  }
  if (count == 0) count = found;
  if (!pattern || !pattern->has_number()) {
    names.resize(static_cast<std::size_t>(count));
    return names;
  }
  const std::set<std::string> there(names.begin(), names.end());
  names.clear();
  for (std::int64_t i = 0; i < count; ++i) {
    names.push_back(pattern->name(first + i));
    if (there.contains(names.back())) continue;
    throw Error((folder / names.back()).string() + ": there is no such image, but frames " +
                std::to_string(first) + " to " + std::to_string(first + count - 1) + " are expected.");
  }
  return names;
}

}  // namespace tpn
