// Makes the demo's data set: clips in which only motion and tempo tell the class.
#include "engine/synthetic/motion_clips.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include "apps/number.h"
#include "apps/program.h"
#include "engine/video/video_writer.h"
#include "kernels/work_sharing.h"

namespace {

struct Arguments {
  std::string folder;
  int clips = 20;
  std::int64_t seed = 1;
  bool further = false, still = false;
};

/// A clip that is to be made.
struct Clip {
  tpn::MotionClass motion_class;
  std::uint64_t seed;
  std::filesystem::path path;
  tpn::MotionClipOptions options;
};

void write(const Clip& clip) {
  tpn::VideoWriter video(clip.path, {.size = clip.options.size});
  for (const tpn::Image& frame : render_motion_clip(clip.motion_class, clip.seed, clip.options)) {
    video.add(frame.view());
  }
  video.finish();
}

int make(const Arguments& a) {
  std::vector<Clip> clips;
  std::uint64_t seed = static_cast<std::uint64_t>(a.seed) << 32U;
  const auto classes = a.further ? tpn::further_motion_classes() : tpn::motion_classes();
  for (const tpn::MotionClass& motion_class : classes) {
    const std::filesystem::path folder = std::filesystem::path(a.folder) / name_of(motion_class);
    std::filesystem::create_directories(folder);
    for (int i = 0; i < a.clips; ++i, ++seed) {
      clips.push_back({.motion_class = motion_class,
                       .seed = seed,
                       .path = folder / ("clip" + std::to_string(i) + ".mp4"),
                       .options = {.still = a.still}});
    }
  }
  const auto threads = static_cast<int>(std::thread::hardware_concurrency());
  tpn::share_work(clips.size(), threads, [&](std::size_t i) { write(clips[i]); });
  return tpn::app::success;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Makes short clips in which only motion and tempo tell the class.", "motion_clips");
  Arguments arguments;
  app.add_option("FOLDER", arguments.folder, "Where they go, a folder for each class")->required();
  app.add_option("--clips", arguments.clips, "Clips of each class")
      ->capture_default_str()
      ->transform(tpn::app::whole_number(1, 100000));
  app.add_option("--seed", arguments.seed, "Other clips for every other seed")
      ->capture_default_str()
      ->transform(tpn::app::whole_number(0, 1000000000));
  app.add_flag("--further", arguments.further,
               "Of classes that the demo's model does not know: circling, swinging, stretching");
  app.add_flag("--still", arguments.still,
               "The shape stays as it is in the first frame: nothing is left that tells the class");
  return tpn::app::run_program(app, argc, argv, tpn::app::input_failed, [&] { return make(arguments); });
} catch (const std::exception& error) {
  return tpn::app::failed_to_start(error);
}
