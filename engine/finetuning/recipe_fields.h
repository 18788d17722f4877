// The fields of a recipe as a table, from which its JSON and the options of tpn_finetune are made.
#pragma once

#include "engine/finetuning/recipe.h"

namespace tpn {

/// Bounds of a number, inclusive.
struct FieldRange {
  double least = 0;
  double most = 0;
  bool automatic = false;  ///< automatic_number is a value too
};

/// Calls visit(name, member, range) for every field; `range` of what is no number is empty.
template <class Visit>
void visit_recipe_fields(const Visit& visit) {
  constexpr FieldRange none{};
  constexpr double large = 1e9;
  visit("model", &Recipe::model, none);
  visit("train", &Recipe::train, none);
  visit("val", &Recipe::val, none);
  visit("root", &Recipe::root, none);
  visit("labels", &Recipe::labels, none);
  visit("filename_template", &Recipe::filename_template, none);
  visit("init", &Recipe::init, none);
  visit("freeze", &Recipe::freeze, none);
  visit("bn", &Recipe::bn, none);
  visit("augment", &Recipe::augment, none);
  visit("crop_area", &Recipe::crop_area, FieldRange{0.001, 1, true});
  visit("flip", &Recipe::flip, none);
  visit("epochs", &Recipe::epochs, FieldRange{0, 100000});
  visit("batch", &Recipe::batch, FieldRange{1, 4096});
  visit("accumulate", &Recipe::accumulate, FieldRange{1, 4096});
  visit("sync_bn", &Recipe::sync_bn, none);
  visit("lr", &Recipe::lr, FieldRange{0, 1000, true});
  visit("auto_scale_lr", &Recipe::auto_scale_lr, none);
  visit("schedule", &Recipe::schedule, none);
  visit("warmup", &Recipe::warmup, FieldRange{0, 100000});
  visit("milestones", &Recipe::milestones, FieldRange{0, 100000});
  visit("gamma", &Recipe::gamma, FieldRange{0, 1});
  visit("momentum", &Recipe::momentum, FieldRange{0, 0.9999});
  visit("weight_decay", &Recipe::weight_decay, FieldRange{0, 10});
  visit("clip_grad", &Recipe::clip_grad, FieldRange{0, large});
  visit("label_smoothing", &Recipe::label_smoothing, FieldRange{0, 0.9999});
  visit("dropout", &Recipe::dropout, FieldRange{0, 0.9999, true});
  visit("class_weights", &Recipe::class_weights, none);
  visit("balanced", &Recipe::balanced, none);
  visit("shuffle", &Recipe::shuffle, none);
  visit("ema", &Recipe::ema, FieldRange{0, 0.999999});
  visit("val_protocol", &Recipe::val_protocol, none);
  visit("val_views", &Recipe::val_views, none);
  visit("val_every", &Recipe::val_every, FieldRange{0, 100000});
  visit("early_stop", &Recipe::early_stop, FieldRange{0, 100000});
  visit("keep", &Recipe::keep, FieldRange{0, 100000});
  visit("skip_bad", &Recipe::skip_bad, none);
  visit("seed", &Recipe::seed, FieldRange{0, large});
  visit("deterministic", &Recipe::deterministic, none);
  visit("precision", &Recipe::precision, none);
  visit("ranks", &Recipe::ranks, FieldRange{0, 65536});
  visit("device", &Recipe::device, none);
  visit("devices", &Recipe::devices, FieldRange{0, 65536});
  visit("threads", &Recipe::threads, FieldRange{0, 4096});
  visit("workers", &Recipe::workers, FieldRange{0, 1024});
  visit("cache_mb", &Recipe::cache_mb, FieldRange{0, 1 << 24});
}

}  // namespace tpn
