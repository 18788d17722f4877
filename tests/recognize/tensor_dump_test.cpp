// The files that TensorDump asks for.
#include <algorithm>
#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "engine/exec/executor.h"
#include "engine/model/safetensors.h"
#include "engine/networks/network.h"
#include "engine/recognize/tpn.h"
#include "engine/video/clip_loader.h"
#include "kernels/channel_order.h"
#include "kernels/convert.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/verify/tolerance.h"
#include "tests/recognize/tiny_model.h"

namespace tpn {
namespace {

const std::string video = TPN_TEST_DATA "/video/h264_bframes.mp4";

template <class T>
std::vector<T> values_of(const SafetensorsFile& file, const std::string& name, const Shape& shape) {
  const SafetensorsFile::Entry* entry = file.find(name);
  if (entry == nullptr) throw Error("no tensor " + name);
  EXPECT_EQ(entry->shape, shape) << name << to_string(entry->shape);
  std::vector<T> values(static_cast<std::size_t>(entry->shape.count()));
  EXPECT_EQ(entry->bytes, values.size() * sizeof(T)) << name;
  std::memcpy(values.data(), file.view(*entry).data, entry->bytes);
  return values;
}

TEST(TensorDump, HoldsTheViewsAndTheirScores) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  const std::filesystem::path path = file.directory() / "dump.safetensors";
  const Recognition r = recognizer.classify(video, TensorDump{path});
  EXPECT_EQ(r.logits, recognizer.classify(video).logits);

  const SafetensorsFile dump = SafetensorsFile::open(path).value_or_throw();
  EXPECT_EQ(dump.entries().size(), 4U);
  EXPECT_EQ(values_of<std::int64_t>(dump, "frame_indices", {3, 4}), r.frame_indices);
  EXPECT_EQ(values_of<float>(dump, "logits", {9, 5}), r.logits);
  EXPECT_EQ(values_of<float>(dump, "scores", {5}), r.scores);
  const std::vector<float> input = values_of<float>(dump, "input", {9, 3, 4, 32, 32});

  const auto clips = load_clips(video, file.config().sampling);
  const Shape shape{4, 32, 32, 3};
  for (int view = 0; view < 9; ++view) {
    std::vector<float> expected(static_cast<std::size_t>(shape.count()));
    fill_view(*clips, view, file.config().sampling,
              {reinterpret_cast<std::byte*>(expected.data()), DType::f32, shape});
    const std::size_t cells = expected.size() / 3;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(input[static_cast<std::size_t>(view) * expected.size() + i % 3 * cells + i / 3], expected[i]);
    }
  }
}

TEST(TensorDump, ComesBackAsViews) {
  for (const char* name : {"tpn-slowonly-r50-8x8", "tpn-tsm-r50-1x1x8"}) {
    const test::TinyModel file(name);
    Recognizer recognizer(Model::load(file.path()), test::one_thread());
    const std::filesystem::path path = file.directory() / "dump.safetensors";
    const std::filesystem::path again = file.directory() / "again.safetensors";
    const Recognition r = recognizer.classify(video, TensorDump{path});
    const Recognition from_file = recognizer.classify_tensor(path, TensorDump{again});
    EXPECT_EQ(from_file.logits, r.logits);
    EXPECT_EQ(from_file.scores, r.scores);
    EXPECT_EQ(from_file.views(), r.views());
    const SafetensorsFile first = SafetensorsFile::open(path).value_or_throw();
    const SafetensorsFile second = SafetensorsFile::open(again).value_or_throw();
    EXPECT_EQ(second.find("frame_indices"), nullptr);
    const Shape shape = first.find("input")->shape;
    EXPECT_EQ(values_of<float>(second, "input", shape), values_of<float>(first, "input", shape));
  }
}

/// Every feature of one view equals that of a plan that keeps them, and the batch does not mix views up.
void expect_features(const std::string& name, int batch) {
  const test::TinyModel file(name);
  RecognizerOptions options = test::one_thread();
  options.batch = batch;
  options.crops = 1;
  Recognizer recognizer(Model::load(file.path()), options);
  const std::filesystem::path path = file.directory() / "dump.safetensors";
  const Recognition r = recognizer.classify(video, TensorDump{path, true});
  const SafetensorsFile dump = SafetensorsFile::open(path).value_or_throw();

  const std::vector<std::string> names = feature_names(file.config());
  EXPECT_GE(names.size(), 15U);
  EXPECT_EQ(dump.entries().size(), 4 + names.size());
  const auto weights = Weights::load(file.path());
  const std::int64_t frames = file.config().view_frames();
  PlanOptions keep;
  keep.features = names;
  Executor executor(std::make_shared<const Plan>(build_network(file.config(), {1, frames, 32, 32}),
                                                 std::make_shared<const CpuBackend>(1), *weights, keep));
  const std::vector<float> input = values_of<float>(dump, "input", {r.clips, 3, frames, 32, 32});
  const std::size_t view_values = input.size() / static_cast<std::size_t>(r.clips);
  for (std::size_t view = 0; view < static_cast<std::size_t>(r.clips); ++view) {
    const TensorView to = executor.input();
    std::ranges::copy(channels_last(std::span(input).subspan(view * view_values, view_values), to.shape),
                      elements<float>(to));
    executor.run();
    for (const std::string& feature_name : names) {
      const Feature feature = executor.feature(feature_name);
      const Shape& s = feature.shape;  // (1, C, T, H, W)
      const bool per_frame =
          file.config().backbone.dims == 2 &&
          std::set<std::string>{"stem", "stage1", "stage2", "stage3", "stage4"}.contains(feature_name);
      const Shape shape =
          per_frame ? Shape{r.clips * s[2], s[1], s[3], s[4]} : Shape{r.clips, s[1], s[2], s[3], s[4]};
      const std::vector<float> found = values_of<float>(dump, feature_name, shape);
      const std::size_t count = feature.values.size();
      std::vector<float> expected = feature.values;
      if (per_frame) {
        const auto channels = static_cast<std::size_t>(s[1]), segments = static_cast<std::size_t>(s[2]),
                   cells = static_cast<std::size_t>(s[3] * s[4]);
        for (std::size_t i = 0; i < count; ++i) {
          const std::size_t cell = i % cells, t = i / cells % segments, c = i / cells / segments;
          expected[(t * channels + c) * cells + cell] = feature.values[i];
        }
      }
      EXPECT_LE(verify::relative_l2(std::span(found).subspan(view * count, count), expected),
                verify::network_f32_relative_l2)
          << name << " " << feature_name << " of view " << view << ", batch " << batch;
    }
  }
}

TEST(TensorDump, HoldsEveryFeature) {
  for (const int batch : {1, 2}) {
    expect_features("tpn-slowonly-r50-8x8", batch);
    expect_features("tpn-tsm-r50-1x1x8", batch);
  }
}

TEST(TensorDump, LeavesNothingWhenItFails) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  const std::ptrdiff_t before = file.directory().entry_count();
  const std::filesystem::path path = file.directory() / "dump.safetensors";
  EXPECT_THROW(recognizer.classify("/nonexistent.mp4", TensorDump{path, true}), std::runtime_error);
  EXPECT_THROW(recognizer.classify(video, TensorDump{"/nonexistent/dump.safetensors"}), std::runtime_error);
  EXPECT_THROW(recognizer.classify(video, TensorDump{"/nonexistent/dump.safetensors", true}),
               std::runtime_error);
  EXPECT_EQ(file.directory().entry_count(), before);
}

TEST(TensorDump, RefusesOtherTensors) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  const auto refused = [&](const std::string& name, DType dtype, const Shape& shape) {
    const std::filesystem::path path = file.directory() / "input.safetensors";
    const std::vector<std::byte> zeros(static_cast<std::size_t>(shape.count()) * size_of(dtype));
    write_safetensors(path, {},
                      std::vector<SafetensorsOutput>{{name, dtype, shape, [&](auto& sink) { sink(zeros); }}});
    try {
      recognizer.classify_tensor(path);
    } catch (const std::runtime_error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused("input", DType::f32, {1, 3, 4, 32, 32}), "");
  EXPECT_EQ(refused("input", DType::f16, {1, 3, 4, 32, 32}), "");
  EXPECT_NE(refused("inputs", DType::f32, {1, 3, 4, 32, 32}).find("'input'"), std::string::npos);
  EXPECT_NE(refused("input", DType::i32, {1, 3, 4, 32, 32}).find("i32"), std::string::npos);
  EXPECT_NE(refused("input", DType::f32, {1, 4, 4, 32, 32}).find("(1, 4, 4, 32, 32)"), std::string::npos);
  EXPECT_NE(refused("input", DType::f32, {3, 4, 32, 32}).find("(3, 4, 32, 32)"), std::string::npos);
  EXPECT_NE(refused("input", DType::f32, {0, 3, 4, 32, 32}).find("(0, 3, 4, 32, 32)"), std::string::npos);
}

TEST(TensorDump, TakesViewsOfEveryFloatingType) {
  const test::TinyModel file;
  Recognizer recognizer(Model::load(file.path()), test::one_thread());
  const Shape shape{3, 3, 4, 32, 32};
  std::vector<float> values(static_cast<std::size_t>(shape.count()));
  for (std::size_t i = 0; i < values.size(); ++i) {  // each type has these
    values[i] = (static_cast<float>(i % 31) - 15) / 8 * static_cast<float>(1 + 3 * i / values.size());
  }
  const auto logits = [&](DType dtype) {
    std::vector<std::byte> bytes(values.size() * size_of(dtype));
    convert(reinterpret_cast<const std::byte*>(values.data()), DType::f32, bytes.data(), dtype,
            values.size());
    const std::filesystem::path path = file.directory() / "input.safetensors";
    write_safetensors(
        path, {}, std::vector<SafetensorsOutput>{{"input", dtype, shape, [&](auto& sink) { sink(bytes); }}});
    return recognizer.classify_tensor(path).logits;
  };
  const std::vector<float> expected = logits(DType::f32);
  for (const DType dtype : {DType::f64, DType::f16, DType::bf16}) {
    EXPECT_EQ(logits(dtype), expected) << name_of(dtype);
  }
}

}  // namespace
}  // namespace tpn
