#include "engine/synthetic/motion_clips.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "kernels/philox.h"

namespace tpn {
namespace {

constexpr double turn = 2 * std::numbers::pi;

/// Random numbers by counting, of a clip and a purpose.
class Random {
 public:
  Random(std::uint64_t seed, std::uint32_t purpose)
      : key_{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)}},
        purpose_(purpose) {}

  /// Uniform in [0, 1).
  double uniform() {
    if (at_ == 4) {
      words_ = philox({{count_++, purpose_, 0, 0}}, key_);
      at_ = 0;
    }
    return words_[at_++] * 0x1p-32;
  }
  double uniform(double from, double to) { return from + (to - from) * uniform(); }
  int below(int count) { return static_cast<int>(uniform() * count); }
  double sign() { return uniform() < 0.5 ? -1 : 1; }

 private:
  PhiloxKey key_;
  std::uint32_t purpose_;
  std::uint32_t count_ = 0;
  PhiloxWords words_{};
  int at_ = 4;
};

using Color = std::array<double, 3>;

Color random_color(Random& random) {
  return {random.uniform(0, 255), random.uniform(0, 255), random.uniform(0, 255)};
}

double difference(const Color& a, const Color& b) {
  return std::abs(a[0] - b[0]) + std::abs(a[1] - b[1]) + std::abs(a[2] - b[2]);
}

/// A few waves of random direction and length, over the whole plane, so that a moving camera finds more of
/// it.
class Texture {
 public:
  struct Wave {
    double x = 0, y = 0, phase = 0;
    Color color{};
  };

  explicit Texture(Random& random) : base_(random_color(random)), strength_(random.uniform(0, 45)) {
    for (Wave& wave : waves_) {
      const double direction = random.uniform(0, turn), length = random.uniform(6, 40);
      wave = {turn / length * std::cos(direction),
              turn / length * std::sin(direction),
              random.uniform(0, turn),
              {random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(-1, 1)}};
      for (double& channel : wave.color) channel *= strength_;
    }
  }
  [[nodiscard]] const Color& base() const { return base_; }
  [[nodiscard]] const std::array<Wave, 4>& waves() const { return waves_; }

 private:
  Color base_;
  double strength_;
  std::array<Wave, 4> waves_;
};

/// A texture's pixels as a camera sees them whose corner is at (x, y). Of a sum of angles, one of a column
/// and one of a row, the sine is made from theirs.
class Ground {
 public:
  Ground(const Texture& texture, const ImageSize& size, double x, double y) : texture_(texture) {
    for (std::size_t w = 0; w < texture.waves().size(); ++w) {
      const Texture::Wave& wave = texture.waves()[w];
      for (int i = 0; i < size.width; ++i) columns_[w].emplace_back(wave.x * (i + x));
      for (int i = 0; i < size.height; ++i) rows_[w].emplace_back(wave.y * (i + y) + wave.phase);
    }
  }
  [[nodiscard]] Color at(int x, int y) const {
    Color color = texture_.base();
    for (std::size_t w = 0; w < columns_.size(); ++w) {
      const Angle &column = columns_[w][static_cast<std::size_t>(x)],
                  &row = rows_[w][static_cast<std::size_t>(y)];
      const double height = column.sine * row.cosine + column.cosine * row.sine;
      for (std::size_t c = 0; c < 3; ++c) color[c] += texture_.waves()[w].color[c] * height;
    }
    return color;
  }

 private:
  struct Angle {
    explicit Angle(double angle) : sine(std::sin(angle)), cosine(std::cos(angle)) {}
    double sine, cosine;
  };
  const Texture& texture_;
  std::array<std::vector<Angle>, 4> columns_, rows_;
};

/// Bars, crosses, triangles, angles: shapes that show how they are turned.
struct Figure {
  static constexpr double radius = 1.4;  ///< of a circle that holds any of them
  int kind = 0;                          ///< 0: a bar, 1: a cross, 2: a triangle, 3: an L
  /// Whether a point is inside, in units of the shape's size.
  [[nodiscard]] bool contains(double x, double y) const {
    const auto box = [&](double left, double top, double right, double bottom) {
      return x >= left && x <= right && y >= top && y <= bottom;
    };
    switch (kind) {
      case 0:
        return box(-1, -0.35, 1, 0.35);
      case 1:
        return box(-1, -0.28, 1, 0.28) || box(-0.28, -1, 0.28, 0.6);
      case 2:
        return y <= 0.8 && y >= -1 + 2 * std::abs(x) * 0.95;
      default:
        return box(-0.8, -1, -0.2, 1) || box(-0.8, 0.4, 0.9, 1);
    }
  }
};

/// Where the shape is, and how large.
struct Pose {
  double x = 0, y = 0, angle = 0, width = 1, height = 1;
};

/// Back and forth between 0 and `length`.
double reflected(double value, double length) {
  const double around = std::fmod(std::fmod(value, 2 * length) + 2 * length, 2 * length);
  return around < length ? around : 2 * length - around;
}

/// The course of a clip. Every part of a pose is drawn for all classes alike, and one of them changes from
/// frame to frame, in such a way that its value in a single frame is distributed as it is where it stays.
class Course {
 public:
  Course(const MotionClass& motion_class, const ImageSize& size, Random& random)
      : motion_(motion_class.motion),
        margin_(0.3 * size.height),
        across_(size.width - 2 * margin_),
        down_(size.height - 2 * margin_),
        // A fast motion is three times as fast as a slow one, give or take a seventh.
        speed_((motion_class.tempo == Tempo::fast ? 3 : 1) * random.uniform(0.86, 1.14)),
        // Of a ray that is thrown back by walls, any place is as likely as any other.
        x_(random.uniform(0, 2 * across_)),
        y_(random.uniform(0, 2 * down_)),
        angle_(random.uniform(0, turn)),
        zoom_phase_(random.uniform(0, turn)),
        shake_phase_(random.uniform(0, turn)),
        direction_(random.uniform(0, turn)),
        sign_(random.sign()),
        circle_phase_(random.uniform(0, turn)),
        swing_phase_(random.uniform(0, turn)),
        stretch_phase_(random.uniform(0, turn)) {}

  [[nodiscard]] Pose at(int frame) const {
    // Of a slow motion: pixels and degrees a frame; frames of a cycle.
    constexpr double pixels = 0.9, degrees = 2.5, zoom_cycle = 40, cycle = 28;
    const double time = speed_ * frame;
    const auto while_it_is = [&](Motion motion, double change) { return motion_ == motion ? change : 0; };
    const auto phase = [&](Motion motion, double start, double frames) {
      return start + while_it_is(motion, turn / frames * time);
    };
    const double moved = while_it_is(Motion::translate, pixels * time);
    const double shift = widest_shake * margin_ * std::sin(phase(Motion::shake, shake_phase_, cycle));
    const double around = phase(Motion::circle, circle_phase_, cycle);
    const double zoom = std::pow(largest_zoom, std::sin(phase(Motion::zoom, zoom_phase_, zoom_cycle)));
    const double stretch = std::pow(longest_stretch, std::sin(phase(Motion::stretch, stretch_phase_, cycle)));
    return {.x = margin_ + reflected(x_ + moved * std::cos(direction_), across_) +
                 shift * std::cos(direction_) + circle * margin_ * std::cos(around),
            .y = margin_ + reflected(y_ + moved * std::sin(direction_), down_) +
                 shift * std::sin(direction_) + circle * margin_ * std::sin(around),
            .angle = angle_ + while_it_is(Motion::rotate, sign_ * turn / 360 * degrees * time) +
                     widest_swing * std::sin(phase(Motion::swing, swing_phase_, cycle)),
            .width = zoom * stretch,
            .height = zoom / stretch};
  }

  static constexpr double largest_zoom = 1.55, longest_stretch = 1.3, widest_swing = turn / 10;
  static constexpr double widest_shake = 0.4, circle = 0.3;  ///< of the margin

 private:
  Motion motion_;
  double margin_, across_, down_, speed_;
  double x_, y_, angle_, zoom_phase_, shake_phase_, direction_, sign_, circle_phase_, swing_phase_,
      stretch_phase_;
};

}  // namespace

std::vector<MotionClass> motion_classes() {
  std::vector<MotionClass> classes;
  for (const Motion motion : {Motion::translate, Motion::rotate, Motion::zoom, Motion::shake}) {
    for (const Tempo tempo : {Tempo::slow, Tempo::fast}) classes.push_back({motion, tempo});
  }
  return classes;
}

std::vector<MotionClass> further_motion_classes() {
  return {{Motion::circle, Tempo::slow}, {Motion::swing, Tempo::slow}, {Motion::stretch, Tempo::slow}};
}

std::string name_of(const MotionClass& motion_class) {
  constexpr std::array<const char*, 7> motions{"moving",   "rotating", "zooming",   "shaking",
                                               "circling", "swinging", "stretching"};
  return std::string(motions[static_cast<std::size_t>(motion_class.motion)]) +
         (motion_class.tempo == Tempo::fast ? " fast" : " slowly");
}

std::vector<Image> render_motion_clip(const MotionClass& motion_class, std::uint64_t seed,
                                      const MotionClipOptions& options) {
  Random look(seed, 0), motion(seed, 1), camera(seed, 2), noise(seed, 3);
  const Texture texture(look);
  Color color = random_color(look);
  while (difference(color, texture.base()) < 180) color = random_color(look);
  const Figure shape{look.below(4)};
  const double size = 0.2 * options.size.height * look.uniform(0.85, 1.15);
  const double grain = look.uniform(0, 10);
  const Course course(motion_class, options.size, motion);

  std::vector<Image> frames;
  double camera_x = 0, camera_y = 0;
  for (int t = 0; t < options.frames; ++t) {
    camera_x = 0.8 * camera_x + camera.uniform(-0.5, 0.5);
    camera_y = 0.8 * camera_y + camera.uniform(-0.5, 0.5);
    const Pose pose = course.at(options.still ? 0 : t);
    const Ground ground_of(texture, options.size, camera_x, camera_y);
    const double cosine = std::cos(pose.angle), sine = std::sin(pose.angle), across = size * pose.width,
                 down = size * pose.height;
    /// How many of four points in a pixel are covered by the shape.
    const auto covered_points = [&](int x, int y) {
      int covered = 0;
      const double left = x + camera_x - pose.x, top = y + camera_y - pose.y;
      const double far = Figure::radius * std::max(across, down) + 1;
      if (left * left + top * top > far * far) return covered;
      for (const double part_y : {0.25, 0.75}) {
        for (const double part_x : {0.25, 0.75}) {
          const double dx = left + part_x, dy = top + part_y;
          covered +=
              shape.contains((cosine * dx + sine * dy) / across, (cosine * dy - sine * dx) / down) ? 1 : 0;
        }
      }
      return covered;
    };
    Image& image = frames.emplace_back(options.size);
    for (int y = 0; y < options.size.height; ++y) {
      for (int x = 0; x < options.size.width; ++x) {
        const Color ground = ground_of.at(x, y);
        const int covered = covered_points(x, y);
        const double dirt = grain * (noise.uniform() - 0.5);
        for (std::size_t c = 0; c < 3; ++c) {
          const double value = ground[c] + (color[c] - ground[c]) * covered / 4 + dirt;
          image.view().row(y)[3 * x + static_cast<int>(c)] =
              static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
        }
      }
    }
  }
  return frames;
}

}  // namespace tpn
