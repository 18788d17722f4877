#include "tests/report/sample_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kernels/philox.h"
#include "tests/support/temporary_directory.h"

namespace tpn::test {
namespace {

constexpr std::array<const char*, 7> first_names = {
    "<script>alert(1)</script>",
    "shooting goal (soccer) & \"celebrating\"",
    "قفز",
    "",
    "translate, slow",
    "rotate, fast",
    "zoom in, with a name that is much longer than there is room for it"};

class Sample {
 public:
  explicit Sample(const SampleSize& size) : size_(size) {}

  FinetuneReport report() {
    report_.title = "Fine-tuning tpn-slowonly-r50-8x8 on <b>motion</b>";
    report_.subtitle = "bf16 on an NVIDIA H200, 4 min 12 s";
    report_.facts = {{"Model", "tpn-slowonly-r50-8x8, backbone frozen"},
                     {"Training data", "/data/motion/train & more"},
                     {"Validation data", "/data/motion/val"},
                     {"Seed", "7"}};
    report_.notes = {
        {true, "Milestone 100 is never reached: training ends after epoch 12."},
        {true, "For <some> clips a step the learning rate wants another --auto-scale-lr, or --lr."},
        {false, "3 clips were skipped; see skipped.txt."}};
    report_.recipe = "{\n  \"epochs\": 12,\n  \"labels\": \"</script><script>alert(2)</script>\"\n}\n";
    for (std::size_t i = 0; i < size_.classes; ++i) {
      report_.classes.push_back(i < first_names.size() ? first_names[i]
                                                       : "action number " + std::to_string(i));
      report_.train_samples.push_back(20 + static_cast<std::int64_t>(i % 7));
    }
    add_steps();
    add_epochs();
    add_confusion();
    add_clips();
    return report_;
  }

 private:
  /// 0 to 1, the same on every system.
  double draw() { return philox({drawn_++, 0, 0, 0}, {1, 0})[0] / 4294967296.0; }
  double noise() { return draw() + draw() - draw() - draw(); }

  void add_steps() {
    report_.loss_names = {"loss", "loss_cls", "loss_aux"};
    const auto steps = size_.epochs * size_.steps_per_epoch;
    for (std::int64_t i = 1; i <= steps; ++i) {
      const double done = static_cast<double>(i) / static_cast<double>(steps);
      const double main = 0.15 + 1.7 * std::exp(-4 * done) * (1 + 0.25 * noise());
      const double auxiliary = 0.3 + 0.8 * std::exp(-3 * done) * (1 + 0.2 * noise());
      ReportStep step{.step = i, .losses = {main + auxiliary, main, auxiliary}};
      step.learning_rate = done < 0.05 ? 0.01 * done / 0.05 : 0.005 * (1 + std::cos(3.14159 * done));
      if (i % 50 != 7) step.gradient_norm = std::exp(2.5 - 3.5 * done + 0.8 * noise());
      step.data_seconds = i % 40 == 1 ? 0.15 : 1e-5 * draw();
      step.step_seconds = 0.21 + 0.01 * noise() + step.data_seconds;
      report_.steps.push_back(step);
    }
  }

  void add_epochs() {
    for (std::int64_t i = 1; i <= size_.epochs; ++i) {
      const double done = static_cast<double>(i) / static_cast<double>(size_.epochs);
      ReportEpoch epoch{.epoch = i, .train_loss = 0.2 + 1.7 * std::exp(-4 * done)};
      if (i % 4 != 1) {
        epoch.validation_loss = 0.45 + 1.2 * std::exp(-4 * done) + 0.2 * done * done;
        epoch.top1 = 0.94 - 0.7 * std::exp(-5 * done);
        epoch.top5 = 0.99 - 0.35 * std::exp(-7 * done);
        epoch.mean_class_accuracy = epoch.top1 - 0.03;
      }
      report_.epochs.push_back(epoch);
    }
    report_.best_epoch = size_.epochs - 1;
  }

  /// The third class has no validation clips; nothing is taken for the last one.
  void add_confusion() {
    const std::size_t classes = size_.classes;
    const std::size_t guessed = std::max<std::size_t>(1, classes - 1);
    report_.confusion.resize(classes * classes);
    for (std::size_t label = 0; label < classes; ++label) {
      const int samples = label == 2 ? 0 : 30 + static_cast<int>(20 * draw());
      const double skill = label < guessed ? 0.55 + 0.45 * draw() : 0;
      for (int i = 0; i < samples; ++i) {
        std::size_t guess = label;
        if (draw() >= skill) guess = (label + (draw() < 0.7 ? 1 : 3)) % guessed;
        if (draw() < 0.05) guess = static_cast<std::size_t>(draw() * static_cast<double>(guessed));
        ++report_.confusion[label * classes + guess];
      }
    }
  }

  void add_clips() {
    const std::filesystem::path images = std::filesystem::path(TPN_TEST_DATA) / "images";
    for (std::int64_t i = 0; i < 8; ++i) {
      const auto classes = static_cast<std::int64_t>(size_.classes);
      ReportClip clip{.name = "val/folder with \"quotes\" & <tags>/clip_" + std::to_string(i) + ".mp4",
                      .label = i % classes,
                      .loss = 6.5 - 0.6 * static_cast<double>(i)};
      clip.guesses = {{(i + 1) % classes, 0.9 - 0.05 * static_cast<double>(i)},
                      {i % classes, 0.07},
                      {(i + 2) % classes, 0.02}};
      if (i != 3) {
        const std::string file = read_file(images / (i % 2 == 0 ? "420.jpg" : "rgb.png"));
        const auto bytes = std::as_bytes(std::span(file));
        clip.thumbnail.assign(bytes.begin(), bytes.end());
      }
      report_.hardest.push_back(clip);
    }
  }

  SampleSize size_;
  std::uint32_t drawn_ = 0;
  FinetuneReport report_;
};

}  // namespace

FinetuneReport sample_report(const SampleSize& size) {
  return Sample(size).report();
}

}  // namespace tpn::test
