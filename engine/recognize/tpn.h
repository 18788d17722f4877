// The public interface of TPN: load a model file, classify videos.
//
//   const tpn::Model model = tpn::Model::load("tpn-slowonly-r50-8x8.safetensors");
//   tpn::Recognizer recognizer(model);
//   for (const tpn::Prediction& p : recognizer.classify("video.mp4").top(5))
//     std::cout << p.score << ' ' << p.label << '\n';
//
// Every function that can fail throws std::runtime_error, whose what() is one sentence that names the file,
// what was expected and what was found. (std::bad_alloc may come from the standard library.) Nothing is
// printed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "export.h"
#include "kernels/precision.h"

namespace tpn {

class ModelState;

/// A loaded model: a handle that is cheap to copy. Copies share the weights, which live as long as any of
/// them or of the Recognizers made from them. Immutable and thread-safe: any number of threads may use copies
/// of one Model, or the same Model, at once.
class TPN_API Model {
 public:
  /// Opens a model file as tpn_convert writes it (safetensors with a "tpn.config"). The weights are read when
  /// they are first needed; the file must stay as it is while the model is used.
  static Model load(const std::filesystem::path& path);

  /// Of the configuration, for instance "tpn-slowonly-r50-8x8".
  [[nodiscard]] const std::string& name() const;
  /// The number of classes, K.
  [[nodiscard]] int classes() const;
  /// The names of the classes by index; empty when the file has none.
  [[nodiscard]] const std::vector<std::string>& labels() const;
  /// The whole configuration (network, sampling, preprocessing) as a JSON object.
  [[nodiscard]] std::string config_json() const;

 private:
  friend class Recognizer;
  explicit Model(std::shared_ptr<ModelState> state);
  std::shared_ptr<ModelState> state_;
};

enum class Device {
  automatic,  ///< the fastest that this build and machine have
  cpu,
  cuda
};

/// Whether NVIDIA's cuDNN and cuBLASLt may compute a layer where they are faster than TPN's own kernels.
enum class Libraries { automatic, none };

/// What becomes of the views of a video.
enum class Averaging {
  automatic,      ///< as the model says
  probabilities,  ///< softmax of each view's logits, then their mean
  scores          ///< the mean of the logits
};

struct RecognizerOptions {
  Device device = Device::automatic;
  std::vector<int> devices = {0};        ///< CUDA's numbers of the GPUs to share the work of a cuda device
  Precision precision = Precision::f32;  ///< of the network
  Libraries libraries = Libraries::automatic;
  int clips = 0;       ///< along time; 0: as the model's test protocol has it
  int crops = 0;       ///< in space, 1 (middle) or 3; 0: as the protocol has it
  int short_side = 0;  ///< pixels to which a frame's short side is resized; 0: as the protocol has it
  int crop_size = 0;   ///< side of the square crops, in pixels; 0: as the protocol has it
  Averaging averaging = Averaging::automatic;
  /// For the network. 0: OMP_NUM_THREADS, or one for each processor that affinity and quotas leave the
  /// process.
  int threads = 0;
  /// Views that go through the network at once. 0: one on a CPU, where more cost memory and gain nothing; all
  /// of a video on a GPU. Where the device's memory does not suffice, less, with a warning.
  int batch = 0;
  /// Whether recognitions have embeddings.
  bool embeddings = false;

  bool accurate_color = false;  ///< the same colours on every processor, with chroma interpolated
  bool allow_urls = false;      ///< names like https://..., and files that refer to others
  /// What the frames in folders of images are called: "img_%05d.jpg", "img_{:05}.jpg" or "img_*.jpg". Empty:
  /// told from the names of all images there.
  std::string frames = {};
  /// With a `frames` that has a number: that of a video's first frame, from which none may be missing.
  /// Negative: the lowest that is there, and what is missing is passed over with a warning.
  std::int64_t first_frame = -1;
  std::int64_t max_pixels = std::int64_t{8192} * 8192;    ///< of a frame; larger ones are refused
  std::int64_t max_frames = std::int64_t{6} * 3600 * 60;  ///< of a video
  double max_seconds = 6 * 3600;  ///< of a video, as its container states them, else frames through rate
};

/// A class and how well it fits.
struct Prediction {
  std::string label;  ///< empty when the model has no labels
  int index = 0;
  float score = 0;
};

/// Milliseconds of wall-clock time. Stages overlap, so that their sum may exceed `total`.
struct Timings {
  double decode = 0;     ///< opening, counting and decoding frames
  double convert = 0;    ///< of the selected frames to RGB
  double resize = 0;     ///< of the selected frames; a GPU does it with the views
  double transform = 0;  ///< cropping and normalising views; with a GPU, copying frames to it
  double inference = 0;  ///< the network
  double total = 0;  ///< from the beginning of decoding to the scores; waiting for earlier videos included
};

/// What was found out about one video. Views are numbered crop by crop: view v shows clip v % clips at crop
/// v / clips.
struct TPN_API Recognition {
  std::string input;        ///< the name that it was asked for by
  std::int64_t frames = 0;  ///< that the video has; 0 where views were given instead of a video
  double fps = 0;           ///< average; 0 where unknown
  double duration = 0;      ///< seconds; 0 where unknown
  int clips = 0;
  int crops = 0;
  std::vector<std::int64_t> frame_indices;  ///< (clips, T), from 0 in presentation order

  /// (K). The mean over the views of softmax(logits), unless the options or else the configuration
  /// (average_clips "score") ask for the mean of the logits.
  std::vector<float> scores;
  std::vector<float> logits;  ///< (clips * crops, K)
  /// (clips * crops, C). What the classifier makes the logits of; empty unless the options ask for it.
  std::vector<float> embeddings;

  std::vector<std::string> warnings;  ///< whole sentences that name the input: damage, what is left out
  Timings timings;
  std::shared_ptr<const std::vector<std::string>> labels;  ///< the model's

  [[nodiscard]] int views() const { return clips * crops; }
  /// The min(count, K) best classes, best first; of equal scores the lower index first.
  [[nodiscard]] std::vector<Prediction> top(int count) const;
};

/// Of frames in memory. NV12, as hardware decoders give it, is a plane of luma (height, width) and one of
/// chroma (height / 2, width / 2, 2), with halves rounded up, in the colours of BT.601 or BT.709; "full"
/// where values take all of 0..255 instead of 16..235 (luma) and 16..240 (chroma). Every pixel has the chroma
/// at half its coordinates.
enum class PixelFormat { rgb, nv12_bt601, nv12_bt601_full, nv12_bt709, nv12_bt709_full };

/// Frames of a video in memory, in presentation order, read during the call only.
struct FrameSequence {
  /// Frame after frame without gaps: (height, width, 3) for RGB, for NV12 luma and then chroma.
  const std::uint8_t* pixels = nullptr;
  int count = 0;
  int height = 0;
  int width = 0;
  double fps = 0;  ///< only handed on to the result
  PixelFormat format = PixelFormat::rgb;
};

/// Prepared views in memory, read during the call only.
struct ViewTensor {
  std::span<const float> values;  ///< normalised: (x - mean) / std
  /// (views, 3, T, H, W): any size that the network can take; T is the segments for TSM.
  std::array<std::int64_t, 5> shape{};
};

/// Asks for a safetensors file of what went through the network: `frame_indices` (clips, T) int64 unless
/// views were given, and in float32 `input` (views, 3, T, H, W), `logits` (views, K), `scores` (K). With
/// `features` every intermediate result too, (views, C, T, H, W): "stem", "stage1" .. "stage4" (for TSM
/// (views * T, C, H, W)), "spatial_modulation.0" and so on, "neck". Features go through a temporary file
/// beside `path`: memory holds those of one batch at a time.
struct TensorDump {
  std::filesystem::path path;
  bool features = false;
};

/// How far classify_all is.
struct Progress {
  std::size_t index = 0;  ///< of the input
  int views_done = 0;
  int views = 0;
};

/// One of several inputs.
struct VideoInput {
  std::string name;
  /// How many of a folder's images are the video's frames, from the first on; fewer are an error. 0: all.
  /// Files and URLs have as many as they have.
  std::int64_t frames = 0;
};

/// What became of one of several inputs.
struct Outcome {
  std::size_t index = 0;  ///< of the input
  std::optional<Recognition> recognition;
  std::string error;  ///< a sentence; empty when there is a recognition
};

/// Classifies videos with one model and one set of options. Calls may come from several threads and run one
/// after the other; for work at the same time make several Recognizers from one Model, which share its
/// weights. A Recognizer keeps its Model alive. Within a call a thread decodes, a second one prepares views,
/// and the calling thread runs the network on whatever is ready; all of them have ended when the call
/// returns, also by an exception.
/// An input is a video file, a folder of images (one video's frames, numbered in their names), or a URL where
/// the options allow it.
class TPN_API Recognizer {
 public:
  /// Throws when the device is not there or the model has no such protocol of views.
  explicit Recognizer(Model model, const RecognizerOptions& options = {});
  Recognizer(Recognizer&&) noexcept;
  Recognizer& operator=(Recognizer&&) noexcept;
  ~Recognizer();

  [[nodiscard]] const Model& model() const;
  [[nodiscard]] int clips() const;
  [[nodiscard]] int crops() const;

  Recognition classify(const std::string& input);
  Recognition classify(const FrameSequence& frames);
  /// The views count as that many clips of one crop.
  Recognition classify(const ViewTensor& views);
  /// The same, and writes the file of the dump; when that fails, it throws and leaves nothing there.
  Recognition classify(const std::string& input, const TensorDump& dump);

  /// Takes the views from the tensor `input` of a safetensors file, as a dump writes it.
  Recognition classify_tensor(const std::filesystem::path& path,
                              const std::optional<TensorDump>& dump = std::nullopt);

  /// Classifies one input after the other, while the next is being decoded. What goes wrong with an input
  /// becomes its outcome's error; the others go on. The two functions are called on the calling thread, in
  /// the order of the inputs; they must not use this Recognizer. What they throw ends the call.
  void classify_all(std::span<const std::string> inputs,
                    const std::function<void(Outcome&& outcome)>& on_outcome,
                    const std::function<void(const Progress& progress)>& on_progress = {});
  void classify_inputs(std::span<const VideoInput> inputs,
                       const std::function<void(Outcome&& outcome)>& on_outcome,
                       const std::function<void(const Progress& progress)>& on_progress = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tpn
