#include "apps/recognizer_options.h"

#include <cstdint>
#include <limits>

#include "apps/number.h"
#include "engine/video/view_plan.h"
#include "kernels/cpu/processors.h"
#include "kernels/precision_info.h"

namespace tpn::app {
namespace {

// Larger numbers are mistakes; what a model or a machine has is compared where it is known.
constexpr int most_views = 3 * 1000, most_devices = 1024;

}  // namespace

void declare_work_options(CLI::App& app, RecognizerArguments& a) {
  app.add_option("--views", a.views,
                 "Views of a video, for example 1x1 or 10x3; default: the model's protocol")
      ->type_name("CLIPSxCROPS")
      ->group("Work");
  app.add_option("--device", a.device, "auto (a GPU if there is one that can be used), cpu or cuda")
      ->type_name("DEVICE")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}).description(""))
      ->capture_default_str()
      ->group("Work");
  app.add_option("--devices", a.options.devices,
                 "With cuda, the numbers of the GPUs that share the work, for example 0,1")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->transform(whole_number(0, most_devices - 1))
      ->capture_default_str()
      ->group("Work");
  app.add_option("--precision", a.precision,
                 "f32, bf16, and on GPUs f16 and tf32 (f32 whose products are rounded)")
      ->type_name("TYPE")
      ->check(CLI::IsMember(precision_names()).description(""))
      ->capture_default_str()
      ->group("Work");
  app.add_option("--libraries", a.libraries,
                 "On GPUs: auto lets cuDNN and cuBLASLt compute layers where they are faster; none does not")
      ->type_name("WHICH")
      ->check(CLI::IsMember({"auto", "none"}).description(""))
      ->capture_default_str()
      ->group("Work");
  app.add_option("--threads", a.options.threads,
                 "Threads for the network; 0: as OMP_NUM_THREADS says, or one for each processor that the "
                 "process may use")
      ->type_name("N")
      ->transform(whole_number(0, cpu::most_threads()))
      ->capture_default_str()
      ->group("Work");
  app.add_option("--batch", a.options.batch,
                 "Views that go through the network at once; 0: one on a CPU, all of a video on a GPU")
      ->type_name("N")
      ->transform(whole_number(0, most_views))
      ->capture_default_str()
      ->group("Work");
}

void declare_video_options(CLI::App& app, RecognizerArguments& a) {
  app.add_flag(
         "--accurate-color", a.options.accurate_color,
         "Convert colours the same way on every processor, with chroma interpolated; the default equals "
         "the decoders that the models were evaluated with")
      ->group("Videos");
  app.add_flag("--allow-urls", a.options.allow_urls,
               "Open URLs, and files that refer to other files (playlists)")
      ->group("Videos");
  app.add_option("--max-pixels", a.options.max_pixels, "Refuse videos with larger frames")
      ->type_name("N")
      ->transform(whole_number(1, std::numeric_limits<std::int32_t>::max()))
      ->capture_default_str()
      ->group("Videos");
  app.add_option("--max-frames", a.options.max_frames, "Refuse videos with more frames")
      ->type_name("N")
      ->transform(whole_number(1, std::numeric_limits<std::int32_t>::max()))
      ->capture_default_str()
      ->group("Videos");
  app.add_option("--max-duration", a.options.max_seconds, "Refuse videos that last longer")
      ->type_name("SECONDS")
      ->transform(decimal_number(0.001, std::numeric_limits<std::int32_t>::max()))
      ->capture_default_str()
      ->group("Videos");
}

RecognizerOptions recognizer_options(const RecognizerArguments& a) {
  RecognizerOptions options = a.options;
  if (a.device != "auto") options.device = a.device == "cuda" ? Device::cuda : Device::cpu;
  options.precision = precision_named(a.precision);
  options.libraries = a.libraries == "none" ? Libraries::none : Libraries::automatic;
  if (!a.views.empty()) {
    const ViewCounts counts = parse_view_counts(a.views);
    options.clips = counts.clips;
    options.crops = counts.crops;
  }
  return options;
}

}  // namespace tpn::app
