// The program tpn_eval, as its users run it.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/synthetic/motion_clips.h"
#include "engine/video/jpeg_writer.h"
#include "engine/video/video_writer.h"
#include "tests/recognize/tiny_model.h"
#include "tests/support/run_program.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::ProgramResult;
using test::ProgramSetting;
using test::read_file;

constexpr int clips_of_class = 2;
constexpr MotionClipOptions clip_options{.size = {48, 40}, .frames = 20};

std::vector<std::string> class_names() {
  std::vector<std::string> names;
  for (const MotionClass& motion_class : motion_classes()) names.push_back(name_of(motion_class));
  return names;
}

Config config_of(const std::string& name) {
  Config config = test::tiny_pictures_config(name);
  const auto classes = static_cast<int>(motion_classes().size());
  config.head.num_classes = classes;
  config.neck.aux_head->out_channels = classes;
  return config;
}

std::string clip_name(std::size_t label, int clip) {
  return "class" + std::to_string(label) + "_" + std::to_string(clip);
}

/// The clips as videos and as folders of frames numbered from 0, and lists of both.
void write_clips(const fs::path& folder) {
  std::ofstream videos(folder / "videos.txt"), frames(folder / "frames.txt");
  const std::vector<MotionClass> classes = motion_classes();
  for (std::size_t k = 0; k < classes.size(); ++k) {
    for (int i = 0; i < clips_of_class; ++i) {
      const std::string name = clip_name(k, i);
      fs::create_directories(folder / "frames" / name);
      VideoWriter video(folder / (name + ".mp4"), {.size = clip_options.size});
      int number = 0;
      for (const Image& image :
           render_motion_clip(classes[k], 100 * k + static_cast<std::uint64_t>(i), clip_options)) {
        video.add(image.view());
        const std::vector<std::byte> bytes = encode_jpeg(image.view(), 90);
        const std::string file = "img_" + std::to_string(1000 + number++).substr(1) + ".jpg";
        std::ofstream(folder / "frames" / name / file, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      }
      video.finish();
      videos << name << ".mp4 " << k << "\n";
      frames << name << " " << number << " " << k << "\n";
    }
  }
}

std::vector<json> lines_of(const fs::path& file) {
  std::vector<json> lines;
  std::istringstream stream(read_file(file));
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

class EvalProgram : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    clips_ = new test::TemporaryDirectory;
    write_clips(clips_->path());
  }
  static void TearDownTestSuite() {
    delete clips_;
    clips_ = nullptr;
  }

  [[nodiscard]] static std::string clip(const std::string& name) { return (*clips_ / name).string(); }
  [[nodiscard]] std::string file(const std::string& name) const { return (folder_ / name).string(); }

  [[nodiscard]] static ProgramResult run(const std::vector<std::string>& arguments,
                                         const ProgramSetting& setting = {}) {
    return test::run_program(TPN_EVAL, arguments, setting);
  }
  /// On the videos with one view, unless the arguments say otherwise.
  [[nodiscard]] ProgramResult judge(const std::vector<std::string>& arguments,
                                    const ProgramSetting& setting = {}) const {
    std::vector<std::string> all{"--device", "cpu", "--threads", "1"};
    for (const auto& [option, value] : {std::pair<std::string, std::string>("--model", model_.path()),
                                        std::pair<std::string, std::string>("--list", clip("videos.txt")),
                                        std::pair<std::string, std::string>("--views", "1x1"),
                                        std::pair<std::string, std::string>("--format", "json")}) {
      if (std::ranges::count(arguments, option) == 0) all.insert(all.end(), {option, value});
    }
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run(all, setting);
  }
  /// Refused with a sentence that has the part.
  static void expect_refused(const ProgramResult& r, const std::string& part) {
    EXPECT_EQ(r.status, 2) << r.error;
    EXPECT_EQ(r.out, "");
    EXPECT_NE(r.error.find(part), std::string::npos) << r.error;
  }

  static test::TemporaryDirectory* clips_;
  test::TinyModel model_{config_of("tpn-slowonly-r50-8x8"), class_names()};
  test::TemporaryDirectory folder_;
};

test::TemporaryDirectory* EvalProgram::clips_ = nullptr;

/// Figures of the lines of a dump, worked out in another way than the engine does: by sorting.
struct Figures {
  double top1 = 0, top5 = 0, mean_class = 0;
  std::map<std::pair<int, int>, int> confusion;
};

Figures figures_of(const std::vector<json>& lines) {
  Figures f;
  std::map<int, std::pair<double, double>> of_class;  // hits, videos
  double videos = 0;
  for (const json& line : lines) {
    if (!line.contains("entry")) continue;
    ++videos;
    const int label = line["label"];
    if (label >= 0) ++of_class[label].second;
    if (line.contains("error")) continue;
    std::vector<std::pair<double, int>> order;
    for (int k = 0; const double score : line["scores"]) order.emplace_back(-score, k++);
    std::ranges::sort(order);
    f.top1 += order[0].second == label;
    for (std::size_t i = 0; i < 5; ++i) f.top5 += order[i].second == label;
    of_class[label].first += order[0].second == label;
    (void)of_class[order[0].second];
    ++f.confusion[{label, order[0].second}];
  }
  f.top1 /= videos;
  f.top5 /= videos;
  for (const auto& [label, counts] : of_class) {
    if (counts.second > 0)
      f.mean_class += counts.first / counts.second / static_cast<double>(of_class.size());
  }
  return f;
}

void expect_figures(const json& results, const std::vector<json>& dump) {
  const Figures f = figures_of(dump);
  EXPECT_NEAR(results["all"]["top1"], f.top1, 1e-12);
  EXPECT_NEAR(results["all"]["top5"], f.top5, 1e-12);
  EXPECT_NEAR(results["all"]["mean_class"], f.mean_class, 1e-12);
  EXPECT_EQ(results["confusion"].size(), f.confusion.size());
  for (const json& cell : results["confusion"]) EXPECT_EQ((f.confusion.at({cell[0], cell[1]})), cell[2]);
}

TEST_F(EvalProgram, JudgesVideos) {
  const ProgramResult r = judge({"--views", "3x3", "--dump", file("a.jsonl"), "--html", file("a.html")});
  EXPECT_EQ(r.status, 0) << r.error;
  const json results = json::parse(r.out);
  const std::vector<json> dump = lines_of(file("a.jsonl"));
  ASSERT_EQ(dump.size(), 17U);
  EXPECT_EQ(results["entries"], 16);
  expect_figures(results, dump);
  Recognizer recognizer(Model::load(model_.path()), test::one_thread());
  for (const std::size_t line : {1U, 16U}) {
    const Recognition recognition = recognizer.classify(clip(dump[line]["path"]));
    EXPECT_EQ(dump[line]["scores"].get<std::vector<float>>(), recognition.scores);
    EXPECT_EQ(dump[line]["frames"], clip_options.frames);
    EXPECT_EQ(dump[line]["label"], (line - 1) / clips_of_class);
  }
  EXPECT_NE(read_file(file("a.html")).find("What was taken for what"), std::string::npos);
  const ProgramResult text = judge({"--format", "text"});
  EXPECT_NE(text.out.find("All entries (16)"), std::string::npos) << text.out;
}

TEST_F(EvalProgram, JudgesFoldersOfFrames) {
  // The list counts fewer frames than are there, and the last folder lacks one in the middle.
  std::string list;
  for (std::size_t k = 0; k < 4; ++k) list += clip_name(k, 0) + " 13 " + std::to_string(k) + "\n";
  const fs::path frames = folder_ / "frames";
  fs::create_directory(frames);
  for (std::size_t k = 0; k < 4; ++k)
    fs::copy(clip("frames/" + clip_name(k, 0)), frames / clip_name(k, 0), fs::copy_options::recursive);
  fs::remove(frames / clip_name(3, 0) / "img_005.jpg");
  const ProgramResult r =
      judge({"--list", folder_.write("list.txt", list), "--root", frames, "--filename-template",
             "img_{:03}.jpg", "--start-index", "0", "--dump", file("a.jsonl")});
  EXPECT_EQ(r.status, 1);
  EXPECT_NE(r.error.find("list.txt:4"), std::string::npos) << r.error;
  EXPECT_NE(r.error.find("img_005.jpg: there is no such image"), std::string::npos) << r.error;
  const std::vector<json> dump = lines_of(file("a.jsonl"));
  ASSERT_EQ(dump.size(), 5U);
  expect_figures(json::parse(r.out), dump);

  for (const auto& image : fs::directory_iterator(frames / clip_name(0, 0))) {
    if (image.path().filename() >= "img_013.jpg") fs::remove(image);
  }
  RecognizerOptions options = test::one_thread();
  options.clips = options.crops = 1;
  Recognizer recognizer(Model::load(model_.path()), options);
  EXPECT_EQ(dump[1]["scores"].get<std::vector<float>>(),
            recognizer.classify(frames / clip_name(0, 0)).scores);
  EXPECT_EQ(dump[1]["frames"], 13);
  EXPECT_EQ(dump[1]["path"], clip_name(0, 0));

  const ProgramResult from_one =
      judge({"--list", clip("frames.txt"), "--root", clip("frames"), "--filename-template", "img_{:03}.jpg"});
  EXPECT_EQ(from_one.status, 1);  // number 20 is missing everywhere
  EXPECT_EQ(json::parse(from_one.out)["failed"], 16);
  const ProgramResult all = judge({"--list", clip("frames.txt"), "--root", clip("frames"),
                                   "--filename-template", "img_{:03}.jpg", "--start-index", "0"});
  EXPECT_EQ(all.status, 0) << all.error;
}

TEST_F(EvalProgram, JudgesUnderPublishedProtocols) {
  const std::string list = folder_.write("one.txt", clip_name(0, 0) + ".mp4 0\n");
  const auto heading_with = [&](const std::vector<std::string>& more, const std::string& model) {
    std::vector<std::string> arguments{"--device", "cpu",          "--threads", "1",
                                       "--model",  model,          "--list",    list,
                                       "--root",   clips_->path(), "--dump",    file("a.jsonl")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult r = run(arguments);
    EXPECT_EQ(r.status, 0) << r.error;
    return lines_of(file("a.jsonl")).at(0);
  };
  json heading = heading_with({"--protocol", "k400"}, model_.path());
  EXPECT_EQ(heading["clips"], 10);
  EXPECT_EQ(heading["crops"], 3);
  EXPECT_EQ(heading["crop_size"], 256);
  EXPECT_EQ(heading["averaging"], "prob");
  EXPECT_EQ(heading["least_frames"], 7);
  heading = heading_with({"--protocol", "k400", "--views", "2x1", "--crop-size", "24", "--short-side", "40"},
                         model_.path());
  EXPECT_EQ(heading["clips"], 2);
  EXPECT_EQ(heading["crop_size"], 24);
  EXPECT_EQ(heading["short_side"], 40);
  const test::TinyModel tsm(config_of("tpn-tsm-r50-1x1x8"), class_names());
  heading = heading_with({"--protocol", "sthv1"}, tsm.path());
  EXPECT_EQ(heading["clips"], 2);
  EXPECT_EQ(heading["crops"], 3);
  expect_refused(judge({"--protocol", "sthv1"}), "8 segments");
}

TEST_F(EvalProgram, AveragesScoresWhereThatIsAskedFor) {
  ASSERT_EQ(judge({"--views", "3x1", "--average", "score", "--dump", file("a.jsonl")}).status, 0);
  RecognizerOptions options = test::one_thread();
  options.clips = 3;
  options.crops = 1;
  Recognizer recognizer(Model::load(model_.path()), options);
  const Recognition r = recognizer.classify(clip(clip_name(0, 0) + ".mp4"));
  const std::vector<json> dump = lines_of(file("a.jsonl"));
  for (std::size_t k = 0; k < 8; ++k) {
    const double mean = (static_cast<double>(r.logits[k]) + static_cast<double>(r.logits[8 + k]) +
                         static_cast<double>(r.logits[16 + k])) /
                        3;
    EXPECT_NEAR(dump[1]["scores"][k], mean, 1e-6 * std::abs(mean) + 1e-7);
  }
}

TEST_F(EvalProgram, NamesWhatItCannotUse) {
  fs::copy_file(clip("class0_0.mp4"), file("good.mp4"));
  folder_.write("damaged.mp4", read_file(file("good.mp4")).substr(0, 300));
  const std::string list =
      folder_.write("list.txt", "good.mp4 0\nmissing.mp4 1\ndamaged.mp4 2\ngood.mp4 8\ngood.mp4 x\n");
  const ProgramResult r = judge({"--list", list, "--dump", file("a.jsonl")});
  EXPECT_EQ(r.status, 1);
  for (const char* part :
       {"list.txt:2: ", "missing.mp4", "list.txt:3: ", "list.txt:4: its label 8", "list.txt:5: "}) {
    EXPECT_NE(r.error.find(part), std::string::npos) << part << "\n" << r.error;
  }
  const json results = json::parse(r.out);
  EXPECT_EQ(results["entries"], 5);
  EXPECT_EQ(results["failed"], 4);
  EXPECT_EQ(results["all"]["videos"], 5);
  EXPECT_EQ(results["readable"]["videos"], 1);
  EXPECT_EQ(results["failures"].size(), 4U);
  expect_figures(results, lines_of(file("a.jsonl")));
  const ProgramResult merged = run({"--merge", file("a.jsonl"), "--format", "json"});
  EXPECT_EQ(merged.status, 1);
  EXPECT_EQ(merged.out, r.out);
}

/// Wherever a run is killed, it goes on, and ends with the same bytes.
TEST_F(EvalProgram, SurvivesBeingKilledAtAnyInstant) {
  const std::vector<std::string> views{"--views", "3x3", "--dump"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = views;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const ProgramResult whole = judge(with({file("whole.jsonl")}));
  ASSERT_EQ(whole.status, 0);
  std::mt19937 random(5);
  ProgramResult r;
  std::size_t lines = 0;
  for (int kills = 0; kills < 10; ++kills) {
    r = judge(with({file("killed.jsonl"), "--resume"}), {.meanwhile = [&](pid_t program) {
                std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 500));
                ::kill(program, SIGKILL);
              }});
    const std::string text = fs::exists(file("killed.jsonl")) ? read_file(file("killed.jsonl")) : "";
    const auto there = static_cast<std::size_t>(std::ranges::count(text, '\n'));
    EXPECT_GE(there, lines);  // nothing that was finished is lost
    lines = there;
  }
  r = judge(with({file("killed.jsonl"), "--resume", "--dump", file("killed.npy")}));
  EXPECT_EQ(r.status, 0) << r.error;
  EXPECT_EQ(r.out, whole.out);
  EXPECT_EQ(read_file(file("killed.jsonl")), read_file(file("whole.jsonl")));
  ASSERT_EQ(judge(with({file("whole.npy")})).status, 0);
  EXPECT_EQ(read_file(file("killed.npy")), read_file(file("whole.npy")));
}

TEST_F(EvalProgram, GoesOnBehindAHalfLine) {
  const ProgramResult whole = judge({"--dump", file("a.jsonl")});
  const std::string text = read_file(file("a.jsonl"));
  std::size_t end = 0;
  for (int line = 0; line < 6; ++line) end = text.find('\n', end) + 1;
  folder_.write("a.jsonl", text.substr(0, end + 50));
  const ProgramResult r = judge({"--dump", file("a.jsonl"), "--resume"});
  EXPECT_EQ(r.status, 0);
  EXPECT_NE(r.error.find("has no end and is dropped"), std::string::npos) << r.error;
  EXPECT_NE(r.error.find("5 of 16 videos have scores"), std::string::npos) << r.error;
  EXPECT_EQ(r.out, whole.out);
  EXPECT_EQ(read_file(file("a.jsonl")), text);
  const ProgramResult nothing_left = judge({"--dump", file("a.jsonl"), "--resume"});
  EXPECT_EQ(nothing_left.out, whole.out);
}

TEST_F(EvalProgram, DoesNotGoOnWithAnotherRun) {
  ASSERT_EQ(judge({"--dump", file("a.jsonl")}).status, 0);
  const std::string text = read_file(file("a.jsonl"));
  const auto resume = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--dump", file("a.jsonl"), "--resume"});
    return judge(more);
  };
  expect_refused(resume({"--views", "2x1"}), "another number of views");
  expect_refused(resume({"--precision", "bf16"}), "another precision");
  expect_refused(resume({"--average", "score"}), "another average");
  expect_refused(resume({"--shard", "1/2"}), "is part 1/1 of the list");
  expect_refused(
      resume({"--list", folder_.write("other.txt", clip_name(0, 0) + ".mp4 0\n"), "--root", clips_->path()}),
      "another list");
  const test::TinyModel other(config_of("tpn-slowonly-r50-8x8-parallel"), class_names());
  expect_refused(resume({"--model", other.path()}), "another model");
  expect_refused(judge({"--dump", file("a.csv"), "--resume"}), "lines of JSON");
  EXPECT_EQ(read_file(file("a.jsonl")), text);
}

TEST_F(EvalProgram, KeepsWhatIsFinishedWhenASignalEndsIt) {
  for (const auto& [signal, status] : {std::pair(SIGINT, 130), std::pair(SIGTERM, 143)}) {
    const std::string dump = file("dump" + std::to_string(signal) + ".jsonl");
    const auto interrupt = [&, number = signal](pid_t program) {
      for (int i = 0; i < 3000 && !fs::exists(dump); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ::kill(program, number);
    };
    const ProgramResult r = judge({"--views", "100x3", "--dump", dump}, {.meanwhile = interrupt});
    EXPECT_EQ(r.status, status) << r.error;
    EXPECT_NE(r.error.find("videos were judged; their scores are in " + dump + ", go on by --resume"),
              std::string::npos)
        << r.error;
    EXPECT_GE(lines_of(dump).size(), 2U);
  }
}

TEST_F(EvalProgram, MergesPartsToTheSameBytes) {
  folder_.write("list.txt",
                read_file(clip("videos.txt")) + "missing.mp4 1\n" + clip_name(0, 0) + ".mp4 99\n");
  const std::vector<std::string> of_list{"--list", file("list.txt"), "--root", clips_->path()};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), of_list.begin(), of_list.end());
    return more;
  };
  const ProgramResult whole = judge(with({"--dump", file("whole.jsonl")}));
  EXPECT_EQ(whole.status, 1);
  std::vector<std::string> parts;
  for (int i = 1; i <= 3; ++i) {
    parts.push_back(file("part" + std::to_string(i) + ".jsonl"));
    const bool automatic = i == 2;
    const ProgramResult r =
        judge(with({"--dump", parts.back(), "--shard", automatic ? "auto" : std::to_string(i) + "/3"}),
              {.environment =
                   automatic ? std::vector<std::string>{"SLURM_ARRAY_TASK_ID=1", "SLURM_ARRAY_TASK_COUNT=3"}
                             : std::vector<std::string>{}});
    EXPECT_EQ(json::parse(r.out)["entries"], 6) << r.error;
  }
  const ProgramResult merged =
      run({"--merge", parts[2], parts[0], parts[1], "--format", "json", "--dump", file("m.jsonl")});
  EXPECT_EQ(merged.status, 1) << merged.error;
  EXPECT_EQ(merged.out, whole.out);
  EXPECT_EQ(read_file(file("m.jsonl")), read_file(file("whole.jsonl")));
  expect_refused(run({"--merge", parts[0], parts[1]}), "are in none of the parts");
  expect_refused(run({"--merge", parts[0], parts[1], parts[2], parts[1]}), "more than once");
  expect_refused(run({"--merge", parts[0], "--model", model_.path()}), "takes the place");
}

TEST_F(EvalProgram, ComparesWithEveryForm) {
  const ProgramResult first = judge(
      {"--dump", file("a.jsonl"), "--dump", file("a.csv"), "--dump", file("a.npy"), "--dump", file("a.pkl")});
  ASSERT_EQ(first.status, 0) << first.error;
  for (const char* form : {"jsonl", "csv", "npy", "pkl"}) {
    const ProgramResult r = judge({"--compare", file(std::string("a.") + form)});
    ASSERT_EQ(r.status, 0) << r.error;
    const json c = json::parse(r.out)["comparison"];
    EXPECT_EQ(c["videos"], 16) << form;
    EXPECT_EQ(c["agreement"], 1);
    EXPECT_EQ(c["mean_difference"], 0);
    EXPECT_EQ(c["mcnemar_p"], 1);
    EXPECT_EQ(c["largest_differences"].size(), 0U);
  }
  // Another look at the videos, against arithmetic on both dumps.
  const ProgramResult r = judge({"--views", "3x3", "--compare", file("a.jsonl"), "--dump", file("b.jsonl")});
  const json c = json::parse(r.out)["comparison"];
  const std::vector<json> a = lines_of(file("a.jsonl")), b = lines_of(file("b.jsonl"));
  double sum = 0, largest = 0;
  for (std::size_t i = 1; i < a.size(); ++i) {
    for (std::size_t k = 0; k < 8; ++k) {
      const double d =
          std::abs(static_cast<double>(a[i]["scores"][k].get<float>() - b[i]["scores"][k].get<float>()));
      sum += d;
      largest = std::max(largest, d);
    }
  }
  EXPECT_NEAR(c["mean_difference"], sum / (16 * 8), 1e-7);
  EXPECT_NEAR(c["largest_differences"][0]["largest"], largest, 1e-6);
  EXPECT_NEAR(c["top1_there"], figures_of(a).top1, 1e-12);
  EXPECT_NEAR(c["top1_here"], figures_of(b).top1, 1e-12);
  fs::copy_file(file("a.npy"), file("scores"));
  expect_refused(judge({"--compare", file("scores")}), "does not tell its form");
  EXPECT_EQ(judge({"--compare", file("scores"), "--compare-format", "npy"}).status, 0);
}

TEST_F(EvalProgram, NeedsNoMoreMemoryForMoreVideos) {
#ifdef TPN_SANITIZED
  GTEST_SKIP() << "Sanitizers keep what was freed.";
#endif
  const auto peak_of = [&](int repetitions) {
    std::string list;
    for (int i = 0; i < repetitions; ++i) list += clip_name(static_cast<std::size_t>(i % 8), 0) + ".mp4 0\n";
    const ProgramResult r =
        judge({"--list", folder_.write("long.txt", list), "--root", clips_->path(), "--dump",
               file("long.jsonl"), "--dump", file("long.npy"), "--dump", file("long.pkl")});
    EXPECT_EQ(r.status, 0);
    return r.peak_resident_kib;
  };
  const long few = peak_of(40), many = peak_of(440);
  EXPECT_LT(many - few, 4 * 1024) << few << " " << many;
}

TEST_F(EvalProgram, LeavesWhatItReadsAlone) {
  const std::string list = folder_.write("list.txt", clip_name(0, 0) + ".mp4 0\n");
  expect_refused(judge({"--list", list, "--dump", list, "--dump-format", "jsonl"}), "the list itself");
  expect_refused(judge({"--dump", model_.path(), "--dump-format", "npy"}), "the model itself");
  expect_refused(judge({"--html", model_.path()}), "the model itself");
  expect_refused(judge({"--dump", file("a.npy"), "--html", file("a.npy")}), "a.npy");
  expect_refused(judge({"--dump", file("absent/a.npy")}), "absent");
}

TEST_F(EvalProgram, TellsUsageErrors) {
  expect_refused(run({"--model", model_.path()}), "--list");
  expect_refused(run({"--list", clip("videos.txt")}), "--model");
  expect_refused(judge({"--protocol", "ucf101"}), "--protocol");
  expect_refused(judge({"--shard", "4/3"}), "part 4 of 3");
  expect_refused(judge({"--shard", "auto"}), "Slurm");
  expect_refused(judge({"--views", "1x2"}), "crops");
  expect_refused(judge({"--crop-size", "64"}), "do not fit");
  expect_refused(judge({"--list", file("absent.txt")}), "absent.txt");
  expect_refused(judge({"--labels", folder_.write("labels.txt", "a\nb\n")}), "2 names");
  expect_refused(judge({"--dump", file("scores.txt")}), "txt");
  expect_refused(judge({"--start-index", "0"}), "--filename-template");
  const ProgramResult version = run({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.out.rfind("tpn_eval ", 0), 0U);
}

}  // namespace
}  // namespace tpn
