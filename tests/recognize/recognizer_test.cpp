#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "engine/exec/executor.h"
#include "engine/networks/network.h"
#include "engine/recognize/consensus.h"
#include "engine/recognize/tpn.h"
#include "engine/video/clip_loader.h"
#include "kernels/convert.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/verify/tolerance.h"
#include "tests/recognize/tiny_model.h"
#include "tests/support/frames.h"

namespace tpn {
namespace {

const std::string videos = TPN_TEST_DATA "/video/";

FrameSequence sequence_of(const test::RandomFrames& frames) {
  return {frames.pixels(), frames.count(), frames.size().height, frames.size().width, 25};
}

/// The straightforward way: all clips, then one view after the other.
std::vector<float> logits_of(const test::TinyModel& model, const LoadedClips& clips) {
  const auto weights = Weights::load(model.path());
  const ViewPlan& views = clips.plan;
  const Graph graph = build_network(model.config(), {1, views.view_frames, views.crop_size, views.crop_size});
  Executor executor(
      std::make_shared<const Plan>(graph, std::make_shared<const CpuBackend>(1), *weights, PlanOptions{}));
  std::vector<float> logits;
  for (int view = 0; view < views.views(); ++view) {
    TensorView input = executor.input();
    input.shape = Shape(input.shape.extents().subspan(1));
    fill_view(clips, view, model.config().sampling, input);
    executor.run();
    const std::vector<float> row = executor.feature("logits").values;
    logits.insert(logits.end(), row.begin(), row.end());
  }
  return logits;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

void expect_mentions(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(Model, TellsWhatItIs) {
  const test::TinyModel file;
  const Model model = Model::load(file.path());
  EXPECT_EQ(model.name(), "tpn-slowonly-r50-8x8-tiny");
  EXPECT_EQ(model.classes(), 5);
  EXPECT_EQ(model.labels(), test::tiny_labels());
  EXPECT_EQ(parse_config(model.config_json()), file.config());
}

TEST(Model, RefusesWhatIsNone) {
  expect_mentions(error_of([] { Model::load("/nonexistent.safetensors"); }), "/nonexistent.safetensors");
  expect_mentions(error_of([] { Model::load(videos + "gray.mp4"); }), "gray.mp4");
}

TEST(Recognizer, EqualsTheStraightforwardWay) {
  for (const char* name : {"tpn-slowonly-r50-8x8", "tpn-tsm-r50-1x1x8"}) {
    const test::TinyModel file(name);
    const test::RandomFrames frames(30, {48, 40}, 1);
    const auto clips = load_clips(frames.images(), file.config().sampling);
    const std::vector<float> logits = logits_of(file, *clips);
    Recognizer recognizer(Model::load(file.path()), test::one_thread());
    for (int round = 0; round < 2; ++round) {
      const Recognition r = recognizer.classify(sequence_of(frames));
      EXPECT_EQ(r.clips, file.config().backbone.dims == 2 ? 2 : 3);
      EXPECT_EQ(r.clips, recognizer.clips());
      EXPECT_EQ(r.crops, 3);
      EXPECT_EQ(r.crops, recognizer.crops());
      EXPECT_EQ(r.frames, 30);
      EXPECT_EQ(r.fps, 25);
      EXPECT_DOUBLE_EQ(r.duration, 1.2);
      EXPECT_EQ(r.frame_indices, clips->plan.frame_indices);
      EXPECT_EQ(r.logits, logits) << name;
      EXPECT_EQ(r.scores, average_views(logits, 5, "prob"));
      EXPECT_EQ(r.top(1).front().label,
                test::tiny_labels()[static_cast<std::size_t>(r.top(1).front().index)]);
      EXPECT_TRUE(r.warnings.empty());
      EXPECT_GT(r.timings.inference, 0);
      EXPECT_GE(r.timings.total, r.timings.inference);
    }
  }
}

TEST(Recognizer, AveragesAsTheConfigurationSays) {
  Config config = test::tiny_pictures_config("tpn-slowonly-r50-8x8");
  config.head.average_clips = "score";
  const test::TinyModel file(config, {});
  const test::RandomFrames frames(30, {48, 40}, 1);
  const Recognition r =
      Recognizer(Model::load(file.path()), test::one_thread()).classify(sequence_of(frames));
  EXPECT_EQ(r.scores, average_views(r.logits, 5, "score"));
  EXPECT_EQ(r.top(1).front().label, "");
}

TEST(Recognizer, AveragesAsTheOptionsSay) {
  const test::TinyModel file;
  const test::RandomFrames frames(30, {48, 40}, 1);
  RecognizerOptions options = test::one_thread();
  options.averaging = Averaging::scores;
  const Recognition scores = Recognizer(Model::load(file.path()), options).classify(sequence_of(frames));
  EXPECT_EQ(scores.scores, average_views(scores.logits, 5, "score"));
  Config config = file.config();
  config.head.average_clips = "score";
  const test::TinyModel of_scores(config, {});
  options.averaging = Averaging::probabilities;
  const Recognition r = Recognizer(Model::load(of_scores.path()), options).classify(sequence_of(frames));
  EXPECT_EQ(r.scores, average_views(r.logits, 5, "prob"));
}

TEST(Recognizer, TakesOtherSidesOfPictures) {
  const test::TinyModel file;
  const test::RandomFrames frames(30, {48, 40}, 2);
  SamplingConfig sampling = file.config().sampling;
  sampling.short_side = 40;
  sampling.crop_size = 24;
  const auto clips = load_clips(frames.images(), sampling, ViewCounts{3, 1});
  RecognizerOptions options = test::one_thread();
  options.short_side = 40;
  options.crop_size = 24;
  options.crops = 1;
  const Model model = Model::load(file.path());
  EXPECT_EQ(Recognizer(model, options).classify(sequence_of(frames)).logits, logits_of(file, *clips));
  options.crops = 3;  // three crops have the short side
  EXPECT_THROW(Recognizer(model, options), Error);
  options.crop_size = 41;
  EXPECT_THROW(Recognizer(model, options), Error);
}

TEST(Recognizer, TakesTheFramesThatAListCounts) {
  const test::TinyModel file;
  const std::filesystem::path all = file.directory() / "all", some = file.directory() / "some";
  std::filesystem::copy(videos + "frames/png", all);
  std::vector<std::filesystem::path> images;
  for (const auto& entry : std::filesystem::directory_iterator(all)) images.push_back(entry.path());
  std::ranges::sort(images);
  std::filesystem::create_directory(some);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::string name = "f" + std::to_string(i + 3) + ".png";
    std::filesystem::rename(images[i], all / name);
    if (i >= 1 && i <= 4) std::filesystem::copy(all / name, some / name);
  }
  RecognizerOptions options = test::one_thread();
  options.frames = "f%d.png";
  const Model model = Model::load(file.path());
  const Recognition expected = Recognizer(model, options).classify(some.string());
  options.first_frame = 4;
  Recognizer recognizer(model, options);
  const std::vector<VideoInput> inputs{{all.string(), 4}, {some.string(), 5}, {all.string(), 0}};
  std::vector<Outcome> outcomes;
  recognizer.classify_inputs(inputs, [&](Outcome&& outcome) { outcomes.push_back(std::move(outcome)); });
  ASSERT_EQ(outcomes.size(), 3U);
  ASSERT_TRUE(outcomes[0].recognition) << outcomes[0].error;
  EXPECT_EQ(outcomes[0].recognition->logits, expected.logits);
  EXPECT_EQ(outcomes[0].recognition->frames, 4);
  expect_mentions(outcomes[1].error, "5 are expected");
  expect_mentions(outcomes[2].error, "there is no such image");
  EXPECT_THROW(recognizer.classify_inputs(std::vector<VideoInput>{{all.string(), -1}}, [](Outcome&&) {}),
               Error);
}

TEST(Recognizer, ReadsFilesAsItReadsFrames) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  for (const char* name : {"frames/png", "h264_bframes.mp4", "damaged.mp4", "claims_more.avi"}) {
    const auto clips = load_clips(videos + name, file.config().sampling);
    const Recognition r = recognizer.classify(videos + name);
    EXPECT_EQ(r.logits, logits_of(file, *clips)) << name;
    EXPECT_EQ(r.frames, clips->info.frames);
    EXPECT_EQ(r.frame_indices, clips->plan.frame_indices);
    EXPECT_EQ(r.warnings, clips->warnings);
    EXPECT_EQ(r.input, videos + name);
  }
}

TEST(Recognizer, TakesNv12Frames) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  const std::pair<PixelFormat, FrameFormat> formats[]{
      {PixelFormat::nv12_bt601, FrameFormat::nv12_bt601},
      {PixelFormat::nv12_bt601_full, FrameFormat::nv12_bt601_full},
      {PixelFormat::nv12_bt709, FrameFormat::nv12_bt709},
      {PixelFormat::nv12_bt709_full, FrameFormat::nv12_bt709_full}};
  for (const auto& [format, internal] : formats) {
    const test::RawFrames nv12({internal, {43, 35}}, 12, 1);
    std::vector<std::uint8_t> rgb;
    for (const FrameView& frame : nv12.views()) {
      const Image image = test::rgb_of(frame);
      rgb.insert(rgb.end(), image.view().data, image.view().data + 43 * 35 * 3);
    }
    const Recognition from_nv12 =
        recognizer.classify(FrameSequence{nv12.pixels().data(), 12, 35, 43, 0, format});
    const Recognition from_rgb = recognizer.classify(FrameSequence{rgb.data(), 12, 35, 43});
    EXPECT_EQ(from_nv12.logits, from_rgb.logits);
  }
}

TEST(Recognizer, TakesOtherViews) {
  const test::TinyModel file;
  const test::RandomFrames frames(30, {48, 40}, 2);
  const auto clips = load_clips(frames.images(), file.config().sampling, ViewCounts{1, 1});
  RecognizerOptions options = test::one_thread();
  options.clips = 1;
  options.crops = 1;
  const Model model = Model::load(file.path());
  EXPECT_EQ(Recognizer(model, options).classify(sequence_of(frames)).logits, logits_of(file, *clips));
  options.clips = 0;
  const Recognition r = Recognizer(model, options).classify(sequence_of(frames));
  EXPECT_EQ(r.clips, 3);
  EXPECT_EQ(r.crops, 1);
}

TEST(Recognizer, GivesTheSameForAnyBatchAndNumberOfThreads) {
  const test::TinyModel file;
  const test::RandomFrames frames(30, {48, 40}, 3);
  const Model model = Model::load(file.path());
  const Recognition expected = Recognizer(model, test::one_thread()).classify(sequence_of(frames));
  for (const int threads : {1, 2, 3}) {
    for (const int batch : {1, 4, 9, 50}) {
      RecognizerOptions options = test::one_thread();
      options.threads = threads;
      options.batch = batch;
      Recognizer recognizer(model, options);
      for (int round = 0; round < 2; ++round) {  // the second with the memory of the first
        const Recognition r = recognizer.classify(sequence_of(frames));
        EXPECT_LE(verify::relative_l2(r.logits, expected.logits), verify::network_f32_relative_l2)
            << threads << " threads, batches of " << batch;
      }
    }
  }
}

TEST(Recognizer, ClassifiesPreparedViews) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  const test::RandomFrames frames(30, {48, 40}, 4);
  const auto clips = load_clips(frames.images(), file.config().sampling);
  const Shape shape{4, 32, 32, 3};
  std::vector<float> values;  // (views, 3, T, H, W)
  for (int view = 0; view < clips->plan.views(); ++view) {
    std::vector<float> one(static_cast<std::size_t>(shape.count()));
    fill_view(*clips, view, file.config().sampling,
              {reinterpret_cast<std::byte*>(one.data()), DType::f32, shape});
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t i = c; i < one.size(); i += 3) values.push_back(one[i]);
  }
  const Recognition r = recognizer.classify(ViewTensor{values, {9, 3, 4, 32, 32}});
  EXPECT_EQ(r.views(), 9);
  EXPECT_EQ(r.frames, 0);
  EXPECT_TRUE(r.frame_indices.empty());
  EXPECT_EQ(r.logits, recognizer.classify(sequence_of(frames)).logits);

  const std::vector<float> other(std::size_t{2} * 3 * 6 * 48 * 40, 0.5F);
  const Recognition flat = recognizer.classify(ViewTensor{other, {2, 3, 6, 48, 40}});
  ASSERT_EQ(flat.logits.size(), 10U);
  for (std::size_t k = 0; k < 5; ++k) EXPECT_EQ(flat.logits[k], flat.logits[k + 5]);
}

/// Of which the classifier makes the logits, whatever the views come from and however they are batched.
TEST(Recognizer, GivesEmbeddingsWhereTheyAreWanted) {
  const test::TinyModel file;
  const test::RandomFrames frames(30, {48, 40}, 1);
  RecognizerOptions options = test::one_thread();
  EXPECT_TRUE(Recognizer(Model::load(file.path()), options).classify(sequence_of(frames)).embeddings.empty());
  options.embeddings = true;
  const auto weights = Weights::load(file.path());
  const std::int64_t channels = file.config().head.in_channels;
  const std::vector<float> weight =
      to_floats(weights->parameter("cls_head.fc_cls.weight", Shape{5, channels}).view);
  const std::vector<float> bias = to_floats(weights->parameter("cls_head.fc_cls.bias", Shape{5}).view);
  const test::TemporaryDirectory folder;
  for (const int batch : {1, 4}) {
    options.batch = batch;
    Recognizer recognizer(Model::load(file.path()), options);
    const Recognition whole = recognizer.classify(videos + "gray.mp4", {folder / "views.safetensors", true});
    for (const Recognition& r : {whole, recognizer.classify_tensor(folder / "views.safetensors"),
                                 recognizer.classify(sequence_of(frames))}) {
      ASSERT_EQ(r.embeddings.size(), static_cast<std::size_t>(9 * channels));
      std::vector<float> logits;
      for (std::ptrdiff_t view = 0; view < 9; ++view) {
        for (std::ptrdiff_t k = 0; k < 5; ++k) {
          const auto row = weight.begin() + k * channels;
          logits.push_back(std::inner_product(row, row + channels, r.embeddings.begin() + view * channels,
                                              bias[static_cast<std::size_t>(k)]));
        }
      }
      EXPECT_LE(verify::relative_l2(r.logits, logits), verify::op_f32_relative_l2);
    }
  }
}

TEST(Recognizer, NamesWhatIsWrong) {
  const test::TinyModel file;
  const Model model = Model::load(file.path());
  Recognizer recognizer(model, test::one_thread());
  const auto with = [&](auto change) {
    RecognizerOptions options = test::one_thread();
    change(options);
    return error_of([&] { Recognizer(model, options); });
  };
  expect_mentions(with([](RecognizerOptions& o) { o.devices = {1}; }), "only devices of cuda have numbers");
  expect_mentions(with([](RecognizerOptions& o) { o.crops = 2; }), "crops");
  expect_mentions(with([](RecognizerOptions& o) { o.clips = -1; }), "clips");
  expect_mentions(with([](RecognizerOptions& o) { o.batch = -1; }), "batch");
  expect_mentions(with([](RecognizerOptions& o) { o.threads = -1; }), "threads");
  const test::TinyModel tsm("tpn-tsm-r50-1x1x8");
  RecognizerOptions ten_clips = test::one_thread();
  ten_clips.clips = 10;
  expect_mentions(error_of([&] { Recognizer(Model::load(tsm.path()), ten_clips); }), "10");

  expect_mentions(error_of([&] { recognizer.classify(std::string("/nonexistent.mp4")); }),
                  "/nonexistent.mp4");
  expect_mentions(error_of([&] { recognizer.classify(videos + "audio_only.m4a"); }), "audio_only.m4a");
  expect_mentions(error_of([&] { recognizer.classify(FrameSequence{}); }), "frames");
  const std::vector<float> values(96);
  expect_mentions(error_of([&] { recognizer.classify(ViewTensor{values, {1, 3, 4, 4, 4}}); }), "96");
  const ViewTensor channels_first{values, {1, 2, 3, 4, 4}}, no_views{{}, {0, 3, 4, 4, 4}};
  expect_mentions(error_of([&] { recognizer.classify(channels_first); }), "(views, 3, T, H, W)");
  expect_mentions(error_of([&] { recognizer.classify(no_views); }), "(views, 3, T, H, W)");
  const std::vector<float> six_segments(std::size_t{3} * 6 * 32 * 32);
  expect_mentions(error_of([&] {
                    Recognizer(Model::load(tsm.path()), test::one_thread())
                        .classify(ViewTensor{six_segments, {1, 3, 6, 32, 32}});
                  }),
                  "segments");
}

TEST(Recognizer, ClassifiesWhatItCanOfMany) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  const std::vector<std::string> inputs{videos + "gray.mp4", videos + "no_moov.mp4", videos + "damaged.avi",
                                        "/nonexistent", videos + "frames/jpg"};
  std::vector<Outcome> outcomes;
  std::vector<Progress> progress;
  recognizer.classify_all(
      inputs, [&](Outcome&& outcome) { outcomes.push_back(std::move(outcome)); },
      [&](const Progress& p) { progress.push_back(p); });
  ASSERT_EQ(outcomes.size(), inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(outcomes[i].index, i);
    const bool bad = i == 1 || i == 3;
    EXPECT_EQ(outcomes[i].recognition.has_value(), !bad) << outcomes[i].error;
    if (bad) {
      expect_mentions(outcomes[i].error, inputs[i]);
    } else {
      EXPECT_EQ(outcomes[i].error, "");
      EXPECT_EQ(outcomes[i].recognition->input, inputs[i]);
      EXPECT_EQ(outcomes[i].recognition->logits, recognizer.classify(inputs[i]).logits);
    }
  }
  EXPECT_FALSE(outcomes[2].recognition->warnings.empty());
  ASSERT_GE(progress.size(), 27U);
  EXPECT_EQ(progress.back().index, 4U);
  EXPECT_EQ(progress.back().views_done, 9);
  EXPECT_EQ(progress.back().views, 9);
  recognizer.classify_all({}, [](Outcome&&) { FAIL(); });
}

TEST(Recognizer, EndsWhenTheCallerThrows) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  const std::vector<std::string> inputs(4, videos + "gray.mp4");
  const auto refuse = [](auto&&) { throw std::runtime_error("enough"); };
  EXPECT_EQ(error_of([&] { recognizer.classify_all(inputs, refuse); }), "enough");
  const auto accept = [](Outcome&&) {};
  EXPECT_EQ(error_of([&] { recognizer.classify_all(inputs, accept, refuse); }), "enough");
  EXPECT_EQ(recognizer.classify(inputs[0]).views(), 9);
}

TEST(Recognizer, EndsWhenTheWeightsAreWrong) {
  const test::TinyModel file;
  Config other = file.config();
  other.head.num_classes = 7;
  other.neck.aux_head.reset();
  const std::filesystem::path path = file.directory() / "wrong.safetensors";
  const SafetensorsFile tensors = SafetensorsFile::open(file.path()).value_or_throw();
  std::vector<SafetensorsOutput> same;
  for (const SafetensorsFile::Entry& entry : tensors.entries()) {
    const ConstTensorView view = tensors.view(entry);
    same.push_back({entry.name, entry.dtype, entry.shape,
                    [view](const auto& sink) { sink(std::span(view.data, view.bytes())); }});
  }
  write_safetensors(path, {{"tpn.config", to_json(other)}}, same);
  Recognizer recognizer(Model::load(path), test::one_thread());
  const std::string error = error_of([&] { recognizer.classify(videos + "gray.mp4"); });
  expect_mentions(error, "wrong.safetensors");
  expect_mentions(error, "cls_head.fc_cls.weight");
}

TEST(Recognizer, HasOnlyFiniteScores) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  std::vector<float> views(std::size_t{2} * 3 * 4 * 32 * 32, 0.5F);
  const std::array<std::int64_t, 5> shape{2, 3, 4, 32, 32};
  const auto error_with = [&](std::size_t at, float value) {
    std::vector<float> changed = views;
    changed[at] = value;
    return error_of([&] { recognizer.classify(ViewTensor{changed, shape}); });
  };
  EXPECT_NO_THROW(recognizer.classify(ViewTensor{views, shape}));
  const std::size_t last = views.size() - 1;
  expect_mentions(error_with(last, std::numeric_limits<float>::quiet_NaN()), "NaN at (1, 2, 3, 31, 31)");
  expect_mentions(error_with(1, -std::numeric_limits<float>::infinity()), "-infinity at (0, 0, 0, 0, 1)");
  // What overflows in the middle of the network is not lost in a ReLU or a maximum.
  for (const float large : {3e38F, -3e38F}) {
    std::ranges::fill(views, large);
    const std::string error = error_of([&] { recognizer.classify(ViewTensor{views, shape}); });
    expect_mentions(error, "views in memory");
    expect_mentions(error, "the network's result is");
  }
  std::fill_n(views.begin(), views.size() / 2, 0.5F);
  expect_mentions(error_of([&] { recognizer.classify(ViewTensor{views, shape}); }), "for class 0 of view 1:");
}

TEST(Recognizer, WorksInSeveralThreads) {
  const test::TinyModel file;
  const Model model = Model::load(file.path());
  const RecognizerOptions options = test::one_thread();
  Recognizer shared(model, options);
  const std::string input = videos + "h264_bframes.mp4";
  std::vector<std::vector<float>> own(3), together(3);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] {
        own[i] = Recognizer(model, options).classify(input).logits;
        together[i] = shared.classify(input).logits;
      });
    }
  }
  const std::vector<float> expected = shared.classify(input).logits;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(own[i], expected);
    EXPECT_EQ(together[i], expected);
  }
}

TEST(Recognizer, KeepsItsModelAlive) {
  const test::TinyModel file, other("tpn-tsm-r50-1x1x8", {"a", "b", "c", "d", "e"});
  std::optional<Model> model = Model::load(file.path());
  Recognizer first(*model, test::one_thread());
  const std::vector<float> logits = first.classify(videos + "gray.mp4").logits;
  model.reset();
  Recognizer recognizer(std::move(first));
  const Recognition r = recognizer.classify(videos + "gray.mp4");
  EXPECT_EQ(r.logits, logits);
  recognizer = Recognizer(Model::load(other.path()), test::one_thread());
  EXPECT_EQ(*r.labels, test::tiny_labels()) << "a result keeps its labels without model and recogniser";
  EXPECT_EQ(*recognizer.classify(videos + "gray.mp4").labels,
            (std::vector<std::string>{"a", "b", "c", "d", "e"}));
}

TEST(Recognizer, KeepsPrecisionsOfOneModelApart) {
  if (!CpuBackend(1).supports(DType::bf16)) GTEST_SKIP() << "This processor does not compute in bf16.";
  const test::TinyModel file;
  const test::RandomFrames frames(30, {48, 40}, 5);
  RecognizerOptions bf16 = test::one_thread();
  bf16.precision = Precision::bf16;
  const auto logits = [&](const Model& model, const RecognizerOptions& options) {
    return Recognizer(model, options).classify(sequence_of(frames)).logits;
  };
  const std::vector<float> wide = logits(Model::load(file.path()), test::one_thread());
  const std::vector<float> narrow = logits(Model::load(file.path()), bf16);
  EXPECT_NE(wide, narrow);
  EXPECT_LE(verify::relative_l2(narrow, wide), verify::unfused_bf16_relative_l2);
  const Model first = Model::load(file.path()), second = Model::load(file.path());
  EXPECT_EQ(logits(first, test::one_thread()), wide);
  EXPECT_EQ(logits(first, bf16), narrow);
  EXPECT_EQ(logits(second, bf16), narrow);
  EXPECT_EQ(logits(second, test::one_thread()), wide);
}

TEST(Recognizer, KeepsPlansWithAndWithoutFeaturesApart) {
  const test::TinyModel file;
  const std::string input = videos + "gray.mp4";
  const Model model = Model::load(file.path());
  Recognizer recognizer(model, test::one_thread()), other(model, test::one_thread());
  const std::vector<float> logits = recognizer.classify(input).logits;
  const TensorDump dump{file.directory() / "dump", true};
  EXPECT_EQ(recognizer.classify(input, dump).logits, logits);
  EXPECT_NE(SafetensorsFile::open(dump.path).value_or_throw().find("stage2"), nullptr);
  EXPECT_EQ(other.classify(input).logits, logits);
}

TEST(Recognizer, TakesAGpuOrTellsWhyNot) {
  const test::TinyModel file;
  RecognizerOptions options;
  options.device = Device::cuda;
  const Model model = Model::load(file.path());
  try {
    EXPECT_EQ(Recognizer(model, options).clips(), 3);
  } catch (const std::runtime_error& error) {  // of builds without CUDA, and of machines without a usable GPU
    const std::string message = error.what();
    EXPECT_TRUE(message.find("CUDA") != std::string::npos || message.find("NVIDIA") != std::string::npos)
        << message;
  }
}

}  // namespace
}  // namespace tpn
