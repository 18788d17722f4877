// Every file X of tests/data/images has its pixels beside it in X.rgb, as OpenCV 5.0's imread gives them
// (4.8's are the same, but that it does not turn WebP images and looks for EXIF in the first APP1 segment
// only).
#include "engine/video/image_decoder.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <vector>

#include <gtest/gtest.h>

#include "engine/video/exif.h"
#include "engine/video/frame_converter.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;

const fs::path images = TPN_TEST_DATA "/images";
constexpr std::int64_t pixels = 1000;

std::string pixels_of(const DecodedImage& image) {
  const ImageSize size = turned_size(*image.frame, image.orientation);
  FrameConverter converter(size, false);
  const ImageView picture = converter.convert(*image.frame, image.orientation);
  std::string bytes;
  for (int y = 0; y < size.height; ++y) {
    bytes.append(reinterpret_cast<const char*>(picture.row(y)), std::size_t{3} * size.width);
  }
  return bytes;
}

std::vector<fs::path> fixtures() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(images)) {
    if (entry.path().extension() != ".rgb") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

/// Bytes with the padding that decoding asks for.
struct Padded {
  explicit Padded(const std::string& text) : storage(text.size() + ImageDecoder::padding), size(text.size()) {
    std::memcpy(storage.data(), text.data(), size);
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {storage.data(), size}; }
  std::vector<std::byte> storage;
  std::size_t size;
};

TEST(ImageDecoder, GivesThePixelsOfOpenCv) {
  ImageDecoder decoder(pixels);
  const std::vector<fs::path> paths = fixtures();
  ASSERT_EQ(paths.size(), 50U);
  // Twice in different order: nothing of one image is left for the next.
  std::vector<fs::path> order = paths;
  order.insert(order.end(), paths.rbegin(), paths.rend());
  for (const fs::path& path : order) {
    const Result<std::string> check = decoder.check(path);
    EXPECT_TRUE(check.ok()) << path << check.failure().message;
    const Result<DecodedImage> image = decoder.decode(path);
    ASSERT_TRUE(image.ok()) << path << image.failure().message;
    EXPECT_TRUE(pixels_of(*image) == test::read_file(path.string() + ".rgb")) << path;
    const std::string name = path.filename().string();
    EXPECT_EQ(!image->damage.empty(), name == "cut_off.jpg" || name == "damaged.jpg")
        << path << image->damage;
    EXPECT_EQ(!check->empty(), name == "cut_off.jpg") << path;
  }
}

TEST(ImageDecoder, ReadsBitmapsFromTheTopDown) {
  std::string image = test::read_file(images / "rgb.bmp");
  const auto number_at = [&](std::size_t at) {
    std::int32_t number = 0;
    std::memcpy(&number, image.data() + at, sizeof number);
    return number;
  };
  const auto first = static_cast<std::size_t>(number_at(10));
  const std::int32_t height = number_at(22);
  const std::size_t row = (image.size() - first) / static_cast<std::size_t>(height);
  std::string turned = image.substr(0, first);
  for (auto y = static_cast<std::size_t>(height); y-- > 0;) turned += image.substr(first + y * row, row);
  const std::int32_t from_the_top = -height;
  std::memcpy(turned.data() + 22, &from_the_top, sizeof from_the_top);
  const test::TemporaryDirectory folder;
  ImageDecoder decoder(pixels);
  const DecodedImage decoded = decoder.decode(folder.write("x", turned)).value_or_throw();
  EXPECT_TRUE(pixels_of(decoded) == test::read_file(images / "rgb.bmp.rgb"));
}

TEST(ImageDecoder, AFewStrayBytesInAJpegImageAreNoDamage) {
  const std::string whole = test::read_file(images / "444.jpg");
  const std::size_t marker = whole.find("\xff\xc0");
  const test::TemporaryDirectory folder;
  ImageDecoder decoder(pixels);
  for (const std::size_t count : {1U, 16U, 17U}) {
    std::string image = whole;
    image.insert(marker, count, '\0');
    const DecodedImage decoded = decoder.decode(folder.write("x", image)).value_or_throw();
    EXPECT_TRUE(pixels_of(decoded) == test::read_file(images / "444.jpg.rgb"));
    EXPECT_EQ(decoded.damage.empty(), count <= 16) << decoded.damage;
  }
}

TEST(ImageDecoder, PassesOverOddChunksOfWebp) {
  std::string image = test::read_file(images / "exif6.webp");
  const std::string chunk("XTRA\3\0\0\0abc\0", 12);  // three bytes, and one for an even place
  image.insert(image.find("EXIF"), chunk);
  image[4] = static_cast<char>(image[4] + static_cast<char>(chunk.size()));  // the file's size
  const test::TemporaryDirectory folder;
  ImageDecoder decoder(pixels);
  const DecodedImage decoded = decoder.decode(folder.write("x", image)).value_or_throw();
  EXPECT_TRUE(pixels_of(decoded) == test::read_file(images / "exif6.webp.rgb"));
}

TEST(ImageDecoder, RefusesWhatOpenCvRefuses) {
  const test::TemporaryDirectory folder;
  ImageDecoder decoder(pixels);
  // Cut anywhere, these are no images any more; a JPEG image is one as soon as its header is there.
  for (const char* name : {"rgb.png", "rgb.bmp", "lossy.webp", "lossless.webp", "444.jpg"}) {
    const std::string whole = test::read_file(images / name);
    const std::size_t header = std::string(name) == "444.jpg" ? whole.find("\xff\xda") + 2 : whole.size();
    for (std::size_t size = 0; size < whole.size(); size += size < 64 ? 1 : 13) {
      const fs::path path = folder.write("x", whole.substr(0, size));
      const Result<DecodedImage> image = decoder.decode(path);
      EXPECT_EQ(image.ok(), size >= header + 12) << name << " " << size;
      EXPECT_EQ(decoder.check(path).ok(), image.ok()) << name << " " << size;
      EXPECT_TRUE(image.ok() || !image.failure().message.empty());
    }
  }
  std::string png = test::read_file(images / "rgb.png");
  png[png.find("IDAT") + 30] ^= 1;
  EXPECT_EQ(decoder.decode(folder.write("x", png)).failure().message, "a checksum in it is wrong");
  EXPECT_EQ(decoder.decode(folder.write("x", "no image")).failure().message,
            "it is no JPEG, PNG, BMP or WebP image");
  EXPECT_EQ(decoder.decode(folder.write("x", "")).failure().message, "the file is empty");
  EXPECT_EQ(decoder.decode(folder / "absent").failure().message, "No such file or directory");
}

TEST(ImageDecoder, RefusesBombsBeforeItDecodes) {
  const test::TemporaryDirectory folder;
  ImageDecoder decoder(246);  // the images have 247 pixels
  for (const char* name : {"rgb.png", "rgb.bmp", "lossy.webp", "444.jpg"}) {
    for (const std::string& message :
         {decoder.decode(images / name).failure().message, decoder.check(images / name).failure().message}) {
      EXPECT_EQ(message, "its 19x13 pixels exceed the limit of 246 pixels") << name;
    }
  }
  ImageDecoder(247).decode(images / "rgb.png").value_or_throw();
  // A size that overflows where it is not checked.
  std::string bmp = test::read_file(images / "rgb.bmp");
  bmp.replace(18, 8, "\xff\xff\xff\x7f\xff\xff\xff\x7f");
  EXPECT_FALSE(decoder.decode(folder.write("x", bmp)).ok());
  // A file that is all scans: each costs as much as the picture.
  std::string jpeg = test::read_file(images / "progressive.jpg");
  const std::size_t last = jpeg.rfind("\xff\xda");
  const std::string scan = jpeg.substr(last, jpeg.rfind("\xff\xd9") - last);
  jpeg.resize(last);
  for (int i = 0; i < 2000; ++i) jpeg += scan;
  EXPECT_EQ(decoder.decode(folder.write("x", jpeg + "\xff\xd9")).ok(), false);
  EXPECT_EQ(ImageDecoder(pixels).decode(folder / "x").failure().message, "it has more than 1000 scans");
}

TEST(Exif, OrientationInEitherByteOrder) {
  const auto block = [](char order, char value) {
    const bool big = order == 'M';
    std::string text =
        big ? std::string("MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0", 19) + value + std::string(6, '\0')
            : std::string("II*\0\x08\0\0\0\1\0\x12\x01\3\0\1\0\0\0", 18) + value + std::string(7, '\0');
    return text;
  };
  const auto orientation = [](const std::string& text) {
    return exif_orientation(std::as_bytes(std::span(text)));
  };
  for (const char order : {'I', 'M'}) {
    EXPECT_EQ(orientation(block(order, 1)), (Orientation{false, false, false}));
    EXPECT_EQ(orientation(block(order, 6)), (Orientation{true, true, false}));
    EXPECT_EQ(orientation(std::string("Exif\0\0", 6) + block(order, 8)), (Orientation{true, false, true}));
    EXPECT_EQ(orientation(block(order, 0)), Orientation{});
    EXPECT_EQ(orientation(block(order, 9)), Orientation{});
    for (std::size_t size = 0; size < 19; ++size) {
      EXPECT_EQ(orientation(block(order, 6).substr(0, size)), Orientation{}) << size;
    }
  }
  EXPECT_EQ(orientation(""), Orientation{});
  EXPECT_EQ(orientation(std::string("II*\0\xff\xff\xff\xff\1\0", 10)), Orientation{});
}

}  // namespace
}  // namespace tpn
