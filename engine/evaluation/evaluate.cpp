#include "engine/evaluation/evaluate.h"

#include <utility>
#include <vector>

#include "engine/model/text.h"

namespace tpn {
namespace {

EvaluatedVideo evaluated(const EvaluatedVideo& entry, Outcome&& outcome) {
  EvaluatedVideo video = entry;
  if (outcome.recognition) {
    Recognition& recognition = *outcome.recognition;
    video.frames = recognition.frames;
    video.seconds = recognition.duration;
    video.scores = std::move(recognition.scores);
    for (const std::string& warning : recognition.warnings) video.warnings.push_back(printable(warning));
  } else {
    video.error = printable(about({.path = entry.path, .origin = entry.origin}, outcome.error));
  }
  return video;
}

}  // namespace

void evaluate(Recognizer& recognizer, const EvaluationList& list, std::span<const std::size_t> entries,
              const EvaluationEvents& events) {
  std::vector<std::size_t> usable;
  std::vector<VideoInput> inputs;
  for (const std::size_t entry : entries) {
    if (!list.entries[entry].error.empty()) continue;
    usable.push_back(entry);
    inputs.push_back(list.inputs[entry]);
  }
  auto next = entries.begin();
  // Those that have an error already stand between the others.
  const auto pass_unusable = [&] {
    for (; next != entries.end() && !list.entries[*next].error.empty(); ++next) {
      events.video(EvaluatedVideo(list.entries[*next]));
    }
  };
  pass_unusable();
  recognizer.classify_inputs(
      inputs,
      [&](Outcome&& outcome) {
        const EvaluatedVideo& entry = list.entries[usable[outcome.index]];
        ++next;
        events.video(evaluated(entry, std::move(outcome)));
        pass_unusable();
      },
      [&](const Progress& progress) {
        if (events.progress) events.progress(usable[progress.index], progress);
      });
}

}  // namespace tpn
