#include "engine/finetuning/judging.h"

#include "engine/evaluation/protocol.h"
#include "engine/recognize/options.h"
#include "engine/video/frame_pattern.h"
#include "engine/video/view_plan.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr const char* quick = "quick";

/// Thrown through the recogniser to end it.
struct Stopped {};

}  // namespace

JudgingRules judging_rules(const Recipe& recipe, const Model& model, const RecognizerOptions& device) {
  JudgingRules rules{.options = device};
  RecognizerOptions& options = rules.options;
  options.precision = recipe.precision;
  if (!recipe.filename_template.empty()) {
    options.frames = FramePattern(recipe.filename_template).text();
    options.first_frame = RawFrameNames{}.start_index;
  }
  const bool is_quick = recipe.val_protocol == quick;
  ViewCounts views = is_quick ? ViewCounts{1, 1} : ViewCounts{0, 0};
  if (!recipe.val_views.empty()) views = parse_view_counts(recipe.val_views);
  options.clips = views.clips;
  options.crops = views.crops;
  try {
    options = with_protocol(is_quick ? "model" : recipe.val_protocol, model, options);
    const Config config = chosen_config(parse_config(model.config_json()), options);
    const ViewCounts counts = view_counts(config.sampling, options);
    rules.clips = counts.clips;
    rules.crops = counts.crops;
    rules.short_side = config.sampling.short_side;
    rules.crop_size = config.sampling.crop_size;
    rules.average = config.head.average_clips;
  } catch (const Error& error) {
    throw Error("Clips cannot be judged by --val-protocol " + recipe.val_protocol +
                (recipe.val_views.empty() ? "" : " --val-views " + recipe.val_views) + ": " + error.what());
  }
  return rules;
}

bool recognize_samples(Recognizer& recognizer, const std::vector<Sample>& samples,
                       const std::vector<std::size_t>& indices, const JudgingWork& work,
                       const std::function<void(std::size_t sample, Recognition&& recognition)>& taken) {
  std::vector<VideoInput> inputs;
  inputs.reserve(indices.size());
  for (const std::size_t i : indices) inputs.push_back({samples[i].path.string(), samples[i].frames});
  try {
    recognizer.classify_inputs(
        inputs,
        [&](Outcome&& outcome) {
          const std::size_t sample = indices[outcome.index];
          if (outcome.recognition) {
            for (const std::string& warning : outcome.recognition->warnings) {
              work.warn(about(samples[sample], warning));
            }
            taken(sample, *std::move(outcome.recognition));
          } else {
            work.bad_sample(SampleError(about(samples[sample], outcome.error), sample));
          }
          work.report(outcome.index + 1, indices.size());
          if (work.stop()) throw Stopped();
        },
        [&](const Progress&) {
          if (work.stop()) throw Stopped();
        });
  } catch (const Stopped&) {
    return false;
  }
  return true;
}

}  // namespace tpn
