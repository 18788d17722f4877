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
};

/// A clip that is to be made.
struct Clip {
  tpn::MotionClass motion_class;
  std::uint64_t seed;
  std::filesystem::path path;
};

void write(const Clip& clip) {
  const tpn::MotionClipOptions options;
  tpn::VideoWriter video(clip.path, {.size = options.size});
  for (const tpn::Image& frame : render_motion_clip(clip.motion_class, clip.seed, options)) {
    video.add(frame.view());
  }
  video.finish();
}

int make(const Arguments& a) {
  std::vector<Clip> clips;
  std::uint64_t seed = static_cast<std::uint64_t>(a.seed) << 32U;
  for (const tpn::MotionClass& motion_class : tpn::motion_classes()) {
    const std::filesystem::path folder = std::filesystem::path(a.folder) / name_of(motion_class);
    std::filesystem::create_directories(folder);
    for (int i = 0; i < a.clips; ++i, ++seed) {
      clips.push_back({motion_class, seed, folder / ("clip" + std::to_string(i) + ".mp4")});
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
  return tpn::app::run_program(app, argc, argv, tpn::app::input_failed, [&] { return make(arguments); });
} catch (const std::exception& error) {
  return tpn::app::failed_to_start(error);
}
