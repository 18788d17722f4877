// Small clips in which something moves, as folders of images.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "engine/video/jpeg_writer.h"
#include "kernels/preprocess/image.h"
#include "tests/support/tiny_config.h"

namespace tpn::test {

/// Two classes: a bright bar moves to the right, or downwards. Clips differ by where it begins.
inline const std::vector<std::string>& moving_classes() {
  static const std::vector<std::string> classes{"down", "right"};
  return classes;
}

/// A tiny network for them, with five classes.
inline Config moving_clips_config() {
  Config config = tiny_config("tpn-slowonly-r50-8x8", 2, 5);
  config.sampling.short_side = 32;
  config.sampling.crop_size = 32;
  config.sampling.clip_len = 4;
  config.sampling.frame_interval = 2;
  return config;
}

inline void write_jpeg(const std::filesystem::path& path, const Image& image) {
  const std::vector<std::byte> bytes = encode_jpeg(image.view(), 90);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// 16 frames of 40x36.
inline void write_moving_clip(const std::filesystem::path& folder, bool right, int start) {
  constexpr int width = 40, height = 36, frames = 16, bar = 6;
  std::filesystem::create_directories(folder);
  for (int t = 0; t < frames; ++t) {
    Image image({width, height});
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < 3 * width; ++x) {
        const int along = right ? x / 3 : y, length = right ? width : height;
        const bool lit = ((along - start - 2 * t) % length + length) % length < bar;
        image.view().row(y)[x] = lit ? 230 : 40;
      }
    }
    const std::string number = std::to_string(100 + t + 1).substr(1);
    write_jpeg(folder / ("img_" + number + ".jpg"), image);
  }
}

/// `count` clips of each class below `folder`, a folder a class.
inline void write_moving_clips(const std::filesystem::path& folder, int count, int first_start = 0) {
  for (const std::string& name : moving_classes()) {
    for (int i = 0; i < count; ++i) {
      write_moving_clip(folder / name / ("clip" + std::to_string(i)), name == "right", first_start + 3 * i);
    }
  }
}

}  // namespace tpn::test
