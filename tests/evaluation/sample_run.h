// A little evaluation whose figures were worked out by hand.
#pragma once

#include <vector>

#include "engine/evaluation/evaluated_video.h"
#include "engine/evaluation/evaluation_run.h"

namespace tpn::test {

inline EvaluationRun sample_run() {
  EvaluationRun run;
  run.model = "tiny";
  run.model_digest = "00112233445566";
  run.protocol = "k400";
  run.clips = 10;
  run.crops = 3;
  run.short_side = run.crop_size = 256;
  run.averaging = "prob";
  run.precision = "f32";
  run.least_frames = 57;
  run.list = "val.txt";
  run.list_digest = "665544332211";
  run.entries = 7;
  run.classes = {"jump", "\"run\" \xc3\xa9t\xc3\xa9", ""};
  return run;
}

/// Of three classes: right, wrong, right, not readable, right, wrong by a tie, and a line that is no entry.
inline std::vector<EvaluatedVideo> sample_videos() {
  const auto video = [](std::size_t entry, std::int64_t label, std::int64_t frames,
                        std::vector<float> scores) {
    EvaluatedVideo v;
    v.entry = entry;
    v.path = "clip" + std::to_string(entry) + ".mp4";
    v.origin = "val.txt:" + std::to_string(entry + 1);
    v.label = label;
    v.frames = frames;
    v.seconds = static_cast<double>(frames) / 25;
    v.scores = std::move(scores);
    return v;
  };
  std::vector<EvaluatedVideo> videos{video(0, 0, 100, {0.75F, 0.125F, 0.125F}),
                                     video(1, 0, 250, {0.0625F, 0.875F, 0.0625F}),
                                     video(2, 1, 250, {0.03125F, 0.9375F, 0.03125F}),
                                     video(3, 1, 0, {}),
                                     video(4, 2, 50, {0.25F, 0.25F, 0.5F}),
                                     video(5, 1, 300, {0.4375F, 0.4375F, 0.125F}),
                                     video(6, -1, 0, {})};
  videos[1].warnings = {"clip1.mp4: 2 frames are damaged."};
  videos[3].error = "val.txt:4: clip3.mp4: there is no such file.";
  videos[6].path.clear();
  videos[6].error = "val.txt:7: its label 'x' is not a number.";
  return videos;
}

}  // namespace tpn::test
