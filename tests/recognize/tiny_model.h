// Model files with little networks that see little pictures.
#pragma once

#include <string>
#include <vector>

#include "engine/model/config.h"
#include "engine/networks/initialize.h"
#include "engine/recognize/tpn.h"
#include "kernels/preprocess/image.h"
#include "tests/support/images.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn::test {

/// 4 frames of 32x32 a view, 3 clips, 3 crops; or for TSM 8 segments, sampled twice.
inline Config tiny_pictures_config(const std::string& name) {
  Config config = tiny_config(name, 2, 5);
  config.sampling.short_side = 32;
  config.sampling.crop_size = 32;
  if (config.backbone.dims == 3) {
    config.sampling.clip_len = 4;
    config.sampling.frame_interval = 2;
    config.sampling.num_clips = 3;
  }
  return config;
}

/// On the CPU, with which results are compared, also where there is a GPU; threads only cost time where there
/// is so little to do.
inline RecognizerOptions one_thread() {
  RecognizerOptions options;
  options.device = Device::cpu;
  options.threads = 1;
  return options;
}

inline std::vector<std::string> tiny_labels() {
  return {"running", "jumping", "\"quoted\" \xc3\xa9t\xc3\xa9", "", "sitting"};
}

/// A model file, removed with the object.
class TinyModel {
 public:
  explicit TinyModel(const std::string& name = "tpn-slowonly-r50-8x8",
                     const std::vector<std::string>& labels = tiny_labels())
      : TinyModel(tiny_pictures_config(name), labels) {}
  TinyModel(const Config& config, const std::vector<std::string>& labels) : config_(config) {
    write_random_model(config, Initialization::varied, 7, labels, path());
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] std::filesystem::path path() const { return directory_ / "model.safetensors"; }
  /// For other files.
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }

 private:
  Config config_;
  TemporaryDirectory directory_;
};

/// Frames of random pixels, one after the other.
class RandomFrames {
 public:
  RandomFrames(int count, ImageSize size, std::uint32_t seed) : count_(count), size_(size) {
    std::mt19937 generator(seed);
    pixels_.resize(static_cast<std::size_t>(count) * static_cast<std::size_t>(size.width * size.height * 3));
    for (std::uint8_t& pixel : pixels_) pixel = static_cast<std::uint8_t>(generator() >> 24);
  }

  [[nodiscard]] const std::uint8_t* pixels() const { return pixels_.data(); }
  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] ImageSize size() const { return size_; }

  [[nodiscard]] std::vector<ImageView> images() const {
    const std::ptrdiff_t stride = std::ptrdiff_t{3} * size_.width;
    std::vector<ImageView> images;
    images.reserve(static_cast<std::size_t>(count_));
    for (int i = 0; i < count_; ++i) {
      images.push_back({pixels_.data() + i * stride * size_.height, size_, stride});
    }
    return images;
  }

 private:
  int count_;
  ImageSize size_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace tpn::test
