#include "weights_converter/names.h"

#include <algorithm>
#include <array>
#include <span>

#include "engine/model/text.h"

namespace tpn {
namespace {

/// Replaces `from` by `to`. A '#' of `from` matches digits, which the '#' of `to` repeats; each rule's first
/// match counts, and the rules follow one another.
struct Rule {
  std::string_view from;
  std::string_view to;
};

constexpr std::array backbone_rules{
    Rule{"conv#.conv.net.", "conv#."},
    Rule{"conv#.conv.", "conv#."},
    Rule{"conv#.bn.", "bn#."},
    Rule{"downsample.conv.", "downsample.0."},
    Rule{"downsample.bn.", "downsample.1."},
};

// decisionforce's level_fusion_op2 joins the top-down flow, which is mmaction2's level_fusion_1.
constexpr std::array neck_rules{
    Rule{"neck.temporal_modulation_ops.#.conv.conv.", "neck.temporal_modulation_ops.#.conv."},
    Rule{"neck.downsample_ops.#.conv.conv.", "neck.downsampling_ops.#.conv."},
    Rule{"neck.level_fusion_1.", "neck.level_fusion_op2."},
    Rule{"neck.level_fusion_2.", "neck.level_fusion_op."},
    Rule{"neck.pyramid_fusion.", "neck.pyramid_fusion_op."},
    Rule{"neck.aux_head.conv.", "neck.aux_head.convs."},
    Rule{".downsamples.#.conv.conv.", ".ops.#.conv."},
    Rule{".downsamples.#.conv.bn.", ".ops.#.norm."},
    Rule{"fusion_conv.conv.", "fusion_conv.0."},
    Rule{"fusion_conv.bn.", "fusion_conv.1."},
    Rule{"pyramid_fusion_op.conv.", "pyramid_fusion_op.0."},
    Rule{"pyramid_fusion_op.bn.", "pyramid_fusion_op.1."},
    Rule{"neck.", "necks."},
};

/// Whether `pattern` matches at the start of `text`: the matched length (0 if not), and the digits of its
/// '#'.
std::size_t match(std::string_view text, std::string_view pattern, std::string_view& digits) {
  std::size_t at = 0;
  for (const char c : pattern) {
    if (c != '#') {
      if (at == text.size() || text[at] != c) return 0;
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == begin) return 0;
    digits = text.substr(begin, at - begin);
  }
  return at;
}

std::string renamed(const Rule& rule, const std::string& name) {
  for (std::size_t start = 0; start < name.size(); ++start) {
    std::string_view digits;
    const std::size_t length = match(std::string_view(name).substr(start), rule.from, digits);
    if (length == 0) continue;
    std::string replaced = name.substr(0, start);
    for (const char c : rule.to) {
      if (c == '#') {
        replaced += digits;
      } else {
        replaced += c;
      }
    }
    return replaced + name.substr(start + length);
  }
  return name;
}

std::string apply_all(std::span<const Rule> rules, std::string_view name) {
  std::string result(name);
  for (const Rule& rule : rules) result = renamed(rule, result);
  return result;
}

constexpr std::string_view backbone_prefix = "backbone.";

/// Modules that stand around another one, at any depth.
constexpr std::array<std::string_view, 7> wrappers{"module",          "_orig_mod",
                                                   "_forward_module", "_fsdp_wrapped_module",
                                                   "_fpw_module",     "_checkpoint_wrapped_module",
                                                   "_ddp_module"};

/// What training programs call the whole network.
constexpr std::array<std::string_view, 5> attributes{"model", "net", "network", "_model", "recognizer"};

/// What the names of networks begin with.
constexpr std::array<std::string_view, 11> roots{"backbone", "neck",   "necks",  "cls_head", "conv1", "bn1",
                                                 "layer1",   "layer2", "layer3", "layer4",   "fc"};

template <std::size_t Count>
bool contains(const std::array<std::string_view, Count>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

std::string_view name_of(NamingScheme scheme) {
  switch (scheme) {
    case NamingScheme::mmaction2:
      return "mmaction2";
    case NamingScheme::decisionforce:
      return "decisionforce/TPN";
    case NamingScheme::backbone_only:
      return "mmaction2, backbone only";
    case NamingScheme::torchvision:
      return "torchvision ResNet";
  }
  return "?";
}

NamingScheme detect_scheme(const std::vector<std::string_view>& names) {
  const auto any = [&](auto test) { return std::any_of(names.begin(), names.end(), test); };
  const auto has = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (any([](std::string_view name) { return name.starts_with("necks."); }) || has("backbone.conv1.weight")) {
    return NamingScheme::decisionforce;
  }
  if (any([](std::string_view name) {
        return name.starts_with(backbone_prefix) || name.starts_with("neck.");
      })) {
    return NamingScheme::mmaction2;
  }
  if (has("conv1.weight") || any([](std::string_view name) { return name.starts_with("layer1.0.bn"); })) {
    return NamingScheme::torchvision;
  }
  if (any([](std::string_view name) { return name.starts_with("layer1.0."); }))
    return NamingScheme::backbone_only;
  return NamingScheme::mmaction2;
}

std::string name_under(NamingScheme scheme, std::string_view mmaction2_name) {
  const bool in_backbone = mmaction2_name.starts_with(backbone_prefix);
  if (is_backbone_alone(scheme) && !in_backbone) return {};
  switch (scheme) {
    case NamingScheme::mmaction2:
      break;
    case NamingScheme::decisionforce:
      if (in_backbone) return apply_all(backbone_rules, mmaction2_name);
      if (mmaction2_name.starts_with("neck.")) return apply_all(neck_rules, mmaction2_name);
      break;
    case NamingScheme::backbone_only:
      return std::string(mmaction2_name.substr(backbone_prefix.size()));
    case NamingScheme::torchvision:
      return apply_all(backbone_rules, mmaction2_name.substr(backbone_prefix.size()));
  }
  return std::string(mmaction2_name);
}

UnwrappedName without_wrappers(std::string_view name) {
  UnwrappedName result;
  bool at_front = true;
  while (!name.empty()) {
    const std::size_t dot = name.find('.');
    const std::string_view segment = name.substr(0, dot);
    const bool is_last = dot == std::string_view::npos;
    const std::string_view with_dot = is_last ? name : name.substr(0, dot + 1);
    name.remove_prefix(with_dot.size());
    const bool wraps = contains(wrappers, segment) || (at_front && contains(attributes, segment));
    if (wraps && !is_last) {
      result.removed += with_dot;
    } else {
      result.name += with_dot;
      at_front = false;
    }
  }
  return result;
}

std::string_view common_prefix(const std::vector<std::string>& names) {
  if (names.empty()) return {};
  const std::string_view first = names.front();
  const std::size_t dot = first.find('.');
  if (dot == std::string_view::npos || contains(roots, first.substr(0, dot))) return {};
  const std::string_view prefix = first.substr(0, dot + 1);
  const bool all =
      std::ranges::all_of(names, [&](std::string_view name) { return name.starts_with(prefix); });
  return all ? prefix : std::string_view();
}

}  // namespace tpn
