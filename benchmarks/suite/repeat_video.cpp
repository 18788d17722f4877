// Plays a video several times over into one file: long videos, for measuring what length costs.
#include <cstdint>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "engine/video/frame_reader.h"
#include "engine/video/video_writer.h"

int main(int argc, char** argv) try {
  CLI::App app("Plays a video several times over into one file.", "repeat_video");
  std::string from, to;
  int times = 2;
  app.add_option("VIDEO", from, "What to play")->required();
  app.add_option("TIMES", times, "How often")->required()->check(CLI::PositiveNumber);
  app.add_option("OUT", to, "MP4 file to write")->required();
  CLI11_PARSE(app, argc, argv);
  const std::unique_ptr<tpn::FrameReader> video = tpn::open_frames(from);
  std::vector<std::int64_t> all(static_cast<std::size_t>(video->info().frames));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  tpn::VideoWriter writer(to, {.size = video->info().size});
  for (int i = 0; i < times; ++i) {
    video->read(all, [&](std::size_t, const tpn::ImageView& frame) { writer.add(frame); });
  }
  writer.finish();
  return 0;
} catch (const std::exception& error) {
  std::cerr << "repeat_video: " << error.what() << '\n';
  return 1;
}
