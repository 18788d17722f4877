// How many training clips a second are decoded, augmented and normalised, by threads alone: nothing is
// trained.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "benchmarks/time.h"
#include "engine/data/sample_list.h"
#include "engine/data/training_loader.h"
#include "engine/model/safetensors.h"
#include "kernels/stopwatch.h"

namespace {

struct Arguments {
  std::string clips, save, augment = "reference";
  int threads = 2, batch = 8, epochs = 3;
  tpn::ClipOptions options;
};

/// Loads every clip once an epoch, and nothing is kept; all of the first epoch's views go to --save.
nlohmann::ordered_json measure(Arguments a) {
  a.options.augmentation = a.augment == "none"    ? tpn::Augmentation::none
                           : a.augment == "light" ? tpn::Augmentation::light
                                                  : tpn::Augmentation::reference;
  a.options.ahead = static_cast<std::size_t>(2 * a.batch);
  std::vector<tpn::Sample> samples = tpn::read_sample_list(a.clips, {}).samples;
  std::vector<std::size_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  tpn::TrainingLoader loader(std::move(samples), a.options, a.threads, 0);
  const std::int64_t side = a.options.crop_size;
  const tpn::Shape shape{a.batch, a.options.frames(), side, side, 3};
  std::vector<float> views(static_cast<std::size_t>(shape.count())), first_epoch;
  const std::size_t of_clip = views.size() / static_cast<std::size_t>(a.batch);

  std::int64_t clips = 0;
  const double worked = tpn::benchmarks::processor_seconds();
  const tpn::Stopwatch watch;
  for (int epoch = 0; epoch < a.epochs; ++epoch) {
    loader.start(order, epoch);
    for (std::size_t done = 0; done < order.size();) {
      const std::size_t count =
          loader.next({reinterpret_cast<std::byte*>(views.data()), tpn::DType::f32, shape}).size();
      done += count;
      clips += static_cast<std::int64_t>(count);
      if (epoch > 0 || a.save.empty()) continue;
      first_epoch.insert(first_epoch.end(), views.begin(),
                         views.begin() + static_cast<std::ptrdiff_t>(count * of_clip));
    }
  }
  const double seconds = watch.seconds();
  const double work = tpn::benchmarks::processor_seconds() - worked;
  if (!a.save.empty()) {
    const tpn::Shape all{static_cast<std::int64_t>(order.size()), shape[1], side, side, 3};
    const tpn::SafetensorsOutput output{"clips", tpn::DType::f32, all, [&](const auto& sink) {
                                          sink(std::as_bytes(std::span(first_epoch)));
                                        }};
    tpn::write_safetensors(std::filesystem::path(a.save), {}, {&output, 1});
  }
  return {{"clips", clips},
          {"seconds", seconds},
          {"clips_per_second", static_cast<double>(clips) / seconds},
          {"processor_seconds_per_clip", work / static_cast<double>(clips)}};
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Times the loading of training clips.", "loader_benchmark");
  Arguments a;
  app.add_option("CLIPS", a.clips, "A list, or a folder with one folder a class")->required();
  app.add_option("--threads", a.threads, "That decode and augment")->capture_default_str();
  app.add_option("--batch", a.batch, "Clips taken at once")->capture_default_str();
  app.add_option("--epochs", a.epochs, "Times that each clip is loaded")->capture_default_str();
  app.add_option("--augment", a.augment, "reference, light or none")
      ->check(CLI::IsMember({"reference", "light", "none"}))
      ->capture_default_str();
  app.add_option("--clip-len", a.options.sampling.clip_len, "Frames of a clip")->capture_default_str();
  app.add_option("--frame-interval", a.options.sampling.frame_interval, "Between them")
      ->capture_default_str();
  app.add_option("--short-side", a.options.short_side, "Without augmentation, pixels")->capture_default_str();
  app.add_option("--crop", a.options.crop_size, "Side of clips, pixels")->capture_default_str();
  app.add_option("--save", a.save, "Write the first epoch's clips (N,T,H,W,3) to this safetensors file");
  CLI11_PARSE(app, argc, argv);
  std::printf("%s\n", measure(a).dump().c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "loader_benchmark: %s\n", error.what());
  return 1;
}
