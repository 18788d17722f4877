#include "engine/data/training_loader.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/video/clip_loader.h"
#include "kernels/memory.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

std::vector<Sample> samples() {
  std::vector<Sample> list;
  for (const char* name :
       {"h264_bframes.mp4", "vfr.mkv", "odd.avi", "rotate90.mp4", "demo.mp4", "vp9_altref.webm"}) {
    const std::string origin = "train.txt:" + std::to_string(list.size() + 1);
    list.push_back({std::string(TPN_TEST_DATA "/video/") + name, std::ssize(list), 0, origin});
  }
  return list;
}

ClipOptions options() {
  ClipOptions result;
  result.sampling.clip_len = 4;
  result.sampling.frame_interval = 3;
  result.crop_size = 16;
  result.short_side = 20;
  result.seed = 7;
  result.ahead = 3;
  return result;
}

/// What a loader gave for an order.
struct Epoch {
  std::vector<std::size_t> samples;
  std::vector<std::int64_t> labels;
  std::vector<std::byte> bytes;

  bool operator==(const Epoch&) const = default;
};

class Batch {
 public:
  explicit Batch(std::int64_t rows, DType dtype = DType::f32)
      : view_{nullptr, dtype, {rows, 4, 16, 16, 3}}, memory_(view_.bytes()) {
    view_.data = memory_.data();
  }
  [[nodiscard]] const TensorView& view() const { return view_; }
  [[nodiscard]] std::size_t row_bytes() const {
    return view_.bytes() / static_cast<std::size_t>(view_.shape[0]);
  }

 private:
  TensorView view_;
  HostBuffer memory_;
};

/// All that is left of what the loader has begun.
Epoch rest(TrainingLoader& loader, std::int64_t batch_size = 2, DType dtype = DType::f32) {
  Epoch epoch;
  const Batch batch(batch_size, dtype);
  for (;;) {
    const std::vector<LoadedClip> clips = loader.next(batch.view());
    for (const LoadedClip& clip : clips) {
      epoch.samples.push_back(clip.sample);
      epoch.labels.push_back(clip.label);
    }
    epoch.bytes.insert(epoch.bytes.end(), batch.view().data,
                       batch.view().data + clips.size() * batch.row_bytes());
    if (std::ssize(clips) < batch_size) return epoch;
  }
}

const std::vector<std::size_t> order{3, 0, 5, 1, 2, 4, 0, 2, 5};

Epoch epoch_of(TrainingLoader& loader, std::int64_t number, OrderShare share = {}) {
  loader.start(order, number, share);
  return rest(loader);
}

TEST(TrainingLoader, GivesTheSameForAnyNumberOfThreads) {
  TrainingLoader one(samples(), options(), 1, 0);
  TrainingLoader four(samples(), options(), 4, 0);
  const Epoch epoch = epoch_of(one, 0);
  EXPECT_EQ(epoch.samples, order);
  EXPECT_EQ(epoch_of(four, 0), epoch);
  EXPECT_EQ(epoch_of(four, 0), epoch);
  const Epoch other = epoch_of(four, 1);
  EXPECT_EQ(other.samples, order);
  EXPECT_NE(other.bytes, epoch.bytes);
}

TEST(TrainingLoader, GivesTheSameFromMemory) {
  for (const Augmentation augmentation : {Augmentation::reference, Augmentation::light, Augmentation::none}) {
    ClipOptions with = options();
    with.augmentation = augmentation;
    TrainingLoader uncached(samples(), with, 2, 0);
    TrainingLoader cached(samples(), with, 2, 1 << 24);
    const Epoch epoch = epoch_of(uncached, 3);
    EXPECT_EQ(epoch_of(cached, 3), epoch);
    const std::int64_t kept = cached.cached_bytes();
    EXPECT_GT(kept, 10 * 64 * 48 * 3);
    EXPECT_EQ(epoch_of(cached, 3), epoch);
    EXPECT_EQ(cached.cached_bytes(), kept);  // nothing was decoded again
    EXPECT_LT(uncached.cached_bytes(), 64 * 48 * 3);
  }
}

TEST(TrainingLoader, GoesOnInTheMiddleOfAnEpoch) {
  TrainingLoader loader(samples(), options(), 2, 0);
  const Epoch epoch = epoch_of(loader, 5);
  const Epoch end = epoch_of(loader, 5, {4, 1});
  EXPECT_EQ(end.samples, std::vector<std::size_t>(order.begin() + 4, order.end()));
  ASSERT_LT(end.bytes.size(), epoch.bytes.size());
  EXPECT_TRUE(std::equal(end.bytes.rbegin(), end.bytes.rend(), epoch.bytes.rbegin()));
}

TEST(TrainingLoader, SharesAnOrderWithoutOverlapOrLoss) {
  TrainingLoader loader(samples(), options(), 2, 0);
  const Epoch whole = epoch_of(loader, 2);
  const std::size_t row = Batch(1).row_bytes();
  std::size_t count = 0;
  for (std::size_t rank = 0; rank < 2; ++rank) {
    const Epoch part = epoch_of(loader, 2, {rank, 2});
    for (std::size_t i = 0; i < part.samples.size(); ++i, ++count) {
      EXPECT_EQ(part.samples[i], order[2 * i + rank]);
      EXPECT_EQ(std::memcmp(part.bytes.data() + i * row, whole.bytes.data() + (2 * i + rank) * row, row), 0);
    }
  }
  EXPECT_EQ(count, order.size());
}

TEST(TrainingLoader, DropsWhatWasUnderWay) {
  TrainingLoader loader(samples(), options(), 2, 0);
  const Epoch epoch = epoch_of(loader, 0);
  const Batch batch(2);
  for (int i = 0; i < 5; ++i) {
    loader.start({1, 1, 1, 1, 4, 4, 4}, 9);
    loader.next(batch.view());
    EXPECT_EQ(epoch_of(loader, 0), epoch);
  }
  loader.start({4, 4, 4}, 0);  // ended with clips under way
}

TEST(TrainingLoader, TakesBatchesOfAnySize) {
  TrainingLoader loader(samples(), options(), 2, 0);
  const Epoch epoch = epoch_of(loader, 0);
  for (const std::int64_t size : {1, 3, 8, 20}) {
    loader.start(order, 0);
    EXPECT_EQ(rest(loader, size), epoch);
  }
}

TEST(TrainingLoader, WithoutAugmentationGivesTheViewOfTheTestProtocol) {
  ClipOptions with = options();
  with.augmentation = Augmentation::none;
  with.dtype = DType::bf16;
  TrainingLoader loader(samples(), with, 2, 0);
  const Epoch epoch = [&] {
    loader.start(order, 0);
    return rest(loader, 2, DType::bf16);
  }();
  SamplingConfig protocol = with.sampling;
  protocol.short_side = with.short_side;
  protocol.crop_size = with.crop_size;
  const Batch expected(1, DType::bf16);
  const TensorView view{expected.view().data, DType::bf16, {4, 16, 16, 3}};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto clips = load_clips(samples()[order[i]].path.string(), protocol, ViewCounts{1, 1});
    fill_view(*clips, 0, protocol, view);
    EXPECT_EQ(std::memcmp(view.data, epoch.bytes.data() + i * expected.row_bytes(), expected.row_bytes()), 0)
        << samples()[order[i]].path;
  }
}

TEST(TrainingLoader, MapsTheLabelsOfMirroredClips) {
  ClipOptions with = options();
  with.flip_labels = {{1, 4}, {4, 1}};
  with.sampling.clip_len = 1;
  with.sampling.num_clips = 4;
  TrainingLoader loader(samples(), with, 2, 1 << 24);
  const std::vector<std::size_t> many(200, 1);
  loader.start(many, 0);
  const Epoch epoch = rest(loader, 50);
  const auto mapped = std::ranges::count(epoch.labels, 4);
  EXPECT_EQ(std::ranges::count(epoch.labels, 1) + mapped, 200);
  EXPECT_NEAR(static_cast<double>(mapped), 100, 40);
  loader.start(std::vector<std::size_t>(20, 2), 0);
  EXPECT_EQ(std::ranges::count(rest(loader).labels, 2), 20);
}

TEST(TrainingLoader, MirrorsWholeClips) {
  // One picture throughout: with flips alone a clip is that picture or its mirror image.
  const test::TemporaryDirectory folder;
  for (const char* name : {"img_1.jpg", "img_2.jpg", "img_3.jpg"}) {
    std::filesystem::copy_file(TPN_TEST_DATA "/images/420.jpg", folder / name);
  }
  ClipOptions with = options();
  with.augmentation = Augmentation::light;
  TrainingLoader flipping({{folder.path(), 0, 0, "a:1"}}, with, 1, 0);
  with.flip = false;
  TrainingLoader upright({{folder.path(), 0, 0, "a:1"}}, with, 1, 0);
  const std::vector<std::size_t> many(20, 0);
  flipping.start(many, 0);
  upright.start(many, 0);
  const Epoch flipped = rest(flipping);
  const Epoch straight = rest(upright);
  const auto pixel = [](const Epoch& epoch, std::size_t row, std::size_t x) {
    const auto* values = reinterpret_cast<const float*>(epoch.bytes.data());
    return values[(row * 16 + x) * 3];
  };
  constexpr std::size_t rows = 4 * 16;  // of a clip
  int mirrored = 0;
  for (std::size_t clip = 0; clip < many.size(); ++clip) {
    bool is_mirrored = true;
    bool is_straight = true;
    for (std::size_t row = clip * rows; row < (clip + 1) * rows; ++row) {
      for (std::size_t x = 0; x < 16; ++x) {
        is_mirrored = is_mirrored && pixel(flipped, row, x) == pixel(straight, row, 15 - x);
        is_straight = is_straight && pixel(flipped, row, x) == pixel(straight, row, x);
      }
    }
    EXPECT_NE(is_mirrored, is_straight) << clip;
    mirrored += is_mirrored ? 1 : 0;
  }
  EXPECT_GT(mirrored, 2);
  EXPECT_LT(mirrored, 18);
}

TEST(TrainingLoader, TellsWhichSampleFailedAndGoesOn) {
  std::vector<Sample> list = samples();
  list[1].path = "nothing.mp4";
  TrainingLoader loader(list, options(), 3, 0);
  const Batch batch(4);
  loader.start({0, 2, 1, 3, 1, 4}, 0);
  for (int i = 0; i < 2; ++i) {
    try {
      (void)loader.next(batch.view());
      if (i == 0) FAIL() << "the third sample was loaded";
    } catch (const SampleError& error) {
      EXPECT_EQ(error.sample(), 1U);
      EXPECT_STREQ(error.what(), "train.txt:2: nothing.mp4: there is no such file.");
    }
  }
  const Epoch epoch = rest(loader);
  EXPECT_EQ(epoch.samples, (std::vector<std::size_t>{0, 2, 3, 4}));
}

TEST(TrainingLoader, TellsHowLongItWaited) {
  TrainingLoader loader(samples(), options(), 1, 0);
  EXPECT_EQ(loader.waited_seconds(), 0);
  epoch_of(loader, 0);
  const double first = loader.waited_seconds();
  EXPECT_GT(first, 0);
  epoch_of(loader, 1);
  EXPECT_GT(loader.waited_seconds(), first);
}

TEST(TrainingLoader, RefusesWhatDoesNotFit) {
  EXPECT_THROW(TrainingLoader(samples(), options(), 0, 0), Error);
  ClipOptions with = options();
  with.dtype = DType::i32;
  EXPECT_THROW(TrainingLoader(samples(), with, 1, 0), Error);
  TrainingLoader loader(samples(), options(), 1, 0);
  EXPECT_THROW(loader.start({6}, 0), Error);
  EXPECT_THROW(loader.start({0}, 0, {0, 0}), Error);
  loader.start({0}, 0);
  const Batch half(1, DType::bf16);
  EXPECT_THROW(loader.next(half.view()), Error);
  const Batch batch(1);
  TensorView narrow = batch.view();
  narrow.shape[3] = 15;
  EXPECT_THROW(loader.next(narrow), Error);
}

TEST(TrainingLoader, AnEndedOrderGivesNothing) {
  TrainingLoader loader(samples(), options(), 1, 0);
  const Batch batch(1);
  EXPECT_TRUE(loader.next(batch.view()).empty());
  loader.start({0}, 0, {3, 1});
  EXPECT_TRUE(loader.next(batch.view()).empty());
}

}  // namespace
}  // namespace tpn
