#include "weights_converter/checkpoint.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using namespace std::string_literals;
using test::as_bytes;
using test::call;
using test::dictionary;
using test::global;
using test::number;
using test::storage;
using test::tensor;
using test::text;

const std::string data = test::le(0x3f8000003f000000, 8) + std::string(56, '\0');  // 16 floats: 0.5, 1, 0...
const std::string square = tensor(storage("FloatStorage", "0", 16), 0, {4, 4}, {4, 1});

/// The kind of failure of a checkpoint of that value with a storage "0" of 16 floats.
std::string outcome(const std::string& value) {
  const std::string file = test::checkpoint(value, {{"0", data}});
  const auto checkpoint = Checkpoint::parse(as_bytes(file));
  return checkpoint ? "ok" : std::string(name_of(checkpoint.failure().kind));
}

std::string outcome_of_tensor(const std::string& value) {
  return outcome(dictionary({{"state_dict", dictionary({{"w", value}})}}));
}

std::filesystem::path corpus(const std::string& file) {
  return std::filesystem::path(TPN_TEST_DATA) / "checkpoints" / file;
}

TEST(Checkpoint, TellsWhatElseIsInTheFile) {
  for (const char* const file : {"mmengine-zip-protocol2.pth", "mmengine-legacy-protocol4.pth"}) {
    const auto checkpoint = Checkpoint::open(corpus(file)).value_or_throw();
    EXPECT_EQ(checkpoint.found_under(), "state_dict");
    EXPECT_EQ(checkpoint.other_keys(),
              (std::vector<std::string>{"meta", "message_hub", "param_schedulers", "optimizer"}));
    EXPECT_TRUE(checkpoint.non_tensors().empty());
    const auto meta = checkpoint.meta();
    ASSERT_TRUE(meta.has_value());
    EXPECT_EQ(meta->find("epoch")->integer(), 3);
    EXPECT_EQ(meta->find("experiment_name")->text(), "tpn_ümläut_動作");
    EXPECT_EQ(meta->find("cfg")->text()->substr(0, 12), "model = dict");
    const PickleValue classes = *meta->find("dataset_meta")->find("classes");
    ASSERT_EQ(classes.size(), 2U);
    EXPECT_EQ(classes[1].text(), "b");
    EXPECT_EQ(meta->find("obj")->class_name(), "my_project.utils.Weird");
    EXPECT_EQ(meta->find("default")->find("a")->size(), 1U);
    EXPECT_EQ(meta->find("big_list")->size(), 2000U);
    EXPECT_EQ(meta->find("negative")->integer(), -(std::int64_t{1} << 40));
  }
}

TEST(Checkpoint, FindsTheTensors) {
  const auto found_under = [](const std::string& value) {
    const std::string file = test::checkpoint(value, {{"0", data}});
    const auto checkpoint = Checkpoint::parse(as_bytes(file)).value_or_throw();
    EXPECT_EQ(checkpoint.tensors().size(), 1U);
    EXPECT_EQ(checkpoint.tensors().front().name, "w");
    return checkpoint.found_under();
  };
  const std::string weights = dictionary({{"w", square}});
  EXPECT_EQ(found_under(weights), "");
  EXPECT_EQ(found_under(dictionary({{"state_dict", weights}})), "state_dict");
  EXPECT_EQ(found_under(dictionary({{"model", weights}})), "model");
  EXPECT_EQ(
      found_under(dictionary({{"model", dictionary({{"depth", number(50)}})}, {"state_dict", weights}})),
      "state_dict");
  EXPECT_EQ(found_under(dictionary({{"model", dictionary({{"depth", number(50)}})}, {"w", square}})), "");
  const std::string below = dictionary({{"model", weights}});
  EXPECT_EQ(found_under(dictionary({{"ema", below}, {"model", weights}})), "model")
      << "none averaged unasked";
  EXPECT_EQ(found_under(dictionary({{"ema", below}})), "ema/model");
  EXPECT_EQ(found_under(dictionary({{"ema", weights}, {"swa", weights}})), "ema");
  const std::string ordered = call(global("collections", "OrderedDict"), {}) + "(" + text("w") + square + "u";
  EXPECT_EQ(found_under(ordered), "");
  EXPECT_EQ(found_under(dictionary({{"state_dict", ordered + dictionary({{"_metadata", "}"}}) + "b"}})),
            "state_dict");
}

TEST(Checkpoint, PlainDataBesideTensorsIsReported) {
  const std::string file = test::checkpoint(
      dictionary({{"w", square}, {"epoch", number(3)}, {"extra_state", "N"}, {"nested", "}"}}),
      {{"0", data}});
  const auto checkpoint = Checkpoint::parse(as_bytes(file)).value_or_throw();
  EXPECT_EQ(checkpoint.non_tensors(), (std::vector<std::string>{"epoch", "extra_state", "nested"}));
  EXPECT_TRUE(checkpoint.other_keys().empty());
}

TEST(Checkpoint, AcceptsTheFormsOfATensor) {
  const std::string stored = storage("FloatStorage", "0", 16);
  const auto by = [&](const std::string& function, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{stored, number(0), test::numbers({16}), test::numbers({1})};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return call(global("torch._utils", function), arguments);
  };
  const std::string parameter = global("torch._utils", "_rebuild_parameter");
  EXPECT_EQ(outcome_of_tensor(by("_rebuild_tensor", {})), "ok");
  EXPECT_EQ(outcome_of_tensor(by("_rebuild_tensor_v2", {"\x89", "}"})), "ok");
  EXPECT_EQ(outcome_of_tensor(by("_rebuild_tensor_v2", {"\x89", "}", "N"})), "ok");
  EXPECT_EQ(outcome_of_tensor(by("_rebuild_tensor_v2", {"\x89", "}", dictionary({{"neg", "\x89"}})})), "ok");
  EXPECT_EQ(outcome_of_tensor(by("_rebuild_tensor_v2", {"\x89", "}", dictionary({{"neg", "\x88"}})})),
            "bad_tensor");
  EXPECT_EQ(outcome_of_tensor(by("_rebuild_tensor_v2", {})), "bad_tensor");
  EXPECT_EQ(outcome_of_tensor(by("_rebuild_tensor_v3", {"\x89", "}", global("torch", "uint16")})),
            "bad_dtype");
  EXPECT_EQ(outcome_of_tensor(by("_rebuild_sparse_tensor", {})), "bad_tensor");
  EXPECT_EQ(outcome_of_tensor(call(parameter, {square, "\x88", "}"})), "ok");
  EXPECT_EQ(outcome_of_tensor(call(parameter, {number(1), "\x88", "}"})), "bad_tensor");
  EXPECT_EQ(outcome_of_tensor(call(parameter, {})), "bad_tensor");
  std::string nested = square;
  for (int i = 0; i < 1000; ++i) nested = call(parameter, {nested});
  EXPECT_EQ(outcome_of_tensor(nested), "bad_tensor");
  const std::string size = call(global("torch", "Size"), {test::numbers({16})});
  EXPECT_EQ(outcome_of_tensor(call(global("torch._utils", "_rebuild_tensor"),
                                   {stored, number(0), size, "(" + number(1) + "l"})),
            "ok");
}

TEST(Checkpoint, StoragesAreNoViews) {
  const auto with = [](const std::vector<std::string>& more) {
    std::vector<std::string> id{text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"),
                                number(16)};
    id.insert(id.end(), more.begin(), more.end());
    return outcome_of_tensor(tensor(test::tuple(id) + "Q", 0, {4, 4}, {4, 1}));
  };
  EXPECT_EQ(with({}), "ok");
  EXPECT_EQ(with({"N"}), "ok");
  EXPECT_EQ(with({test::tuple({text("other"), number(0), number(16)})}), "bad_tensor");
  EXPECT_EQ(with({"N", "N"}), "bad_tensor");
}

TEST(Checkpoint, ChecksLayoutsAgainstTheStorage) {
  constexpr std::int64_t max = std::numeric_limits<std::int64_t>::max();
  const auto view = [](std::int64_t offset, const std::vector<std::int64_t>& size,
                       const std::vector<std::int64_t>& stride, std::int64_t count = 16) {
    return outcome_of_tensor(tensor(storage("FloatStorage", "0", count), offset, size, stride));
  };
  EXPECT_EQ(view(0, {4, 4}, {4, 1}), "ok");
  EXPECT_EQ(view(15, {}, {}), "ok");
  EXPECT_EQ(view(16, {}, {}), "bad_tensor");
  EXPECT_EQ(view(1, {4, 4}, {4, 1}), "bad_tensor");
  EXPECT_EQ(view(1, {4, 4}, {1, 4}), "bad_tensor");
  EXPECT_EQ(view(9, {4, 4}, {1, 1}), "ok");
  EXPECT_EQ(view(10, {4, 4}, {1, 1}), "bad_tensor");
  EXPECT_EQ(view(0, {1, 1}, {max, max}), "ok") << "strides of single elements mean nothing";
  EXPECT_EQ(view(0, {2, 1}, {max, max}), "bad_tensor");
  EXPECT_EQ(view(0, {0, max / 4}, {1, 1}), "ok") << "empty";
  EXPECT_EQ(view(0, {max, 0, max}, {1, 1, 1}), "bad_tensor") << "empty, but its extents overflow";
  EXPECT_EQ(view(0, {max, max}, {0, 0}), "bad_tensor");
  EXPECT_EQ(view(0, {1LL << 40}, {0}), "limit");
  EXPECT_EQ(view(0, std::vector<std::int64_t>(8, 1), std::vector<std::int64_t>(8, 1)), "ok");
  EXPECT_EQ(view(0, std::vector<std::int64_t>(9, 1), std::vector<std::int64_t>(9, 1)), "limit");
  EXPECT_EQ(view(0, {4}, {1}, 17), "bad_tensor") << "storage longer than its entry";
  EXPECT_EQ(view(0, {4}, {1}, 3), "bad_tensor");
  EXPECT_EQ(view(0, {4}, {1}, max), "bad_tensor");
  EXPECT_EQ(view(0, {4}, {1}, -1), "bad_tensor");
}

TEST(Checkpoint, TheTotalSizeIsLimited) {
  // Each alone would pass: 40 tensors of 16 MiB out of one element.
  std::vector<std::pair<std::string, std::string>> items;
  items.reserve(40);
  for (int i = 0; i < 40; ++i) {
    items.emplace_back(std::to_string(i), tensor(storage("FloatStorage", "0", 16), 0, {1 << 22}, {0}));
  }
  EXPECT_EQ(outcome(dictionary(items)), "limit");
  items.resize(4);
  EXPECT_EQ(outcome(dictionary(items)), "ok");
}

TEST(Checkpoint, RefusesWhatIsNoDictionaryOfTensors) {
  EXPECT_EQ(outcome(square), "no_state_dict");
  EXPECT_EQ(outcome("}"), "no_state_dict");
  EXPECT_EQ(outcome(dictionary({{"state_dict", "}"}})), "no_state_dict");
  EXPECT_EQ(outcome(dictionary({{"epoch", number(1)}})), "no_state_dict");
  EXPECT_EQ(outcome(dictionary({{"model", call(global("my", "Model"), {})}})), "no_state_dict");
  EXPECT_EQ(outcome("}(" + number(1) + square + "u"), "no_state_dict");
  EXPECT_EQ(outcome(call(global("my", "Model"), {}) + dictionary({{"w", square}}) + "b"), "no_state_dict");
  EXPECT_EQ(outcome_of_tensor(call(global("os", "system"), {text("true")})), "bad_tensor");
  EXPECT_EQ(outcome_of_tensor(storage("FloatStorage", "0", 16)), "bad_tensor");
  EXPECT_EQ(outcome(dictionary({{"w", square}, {"w", square}})), "bad_tensor") << "one name twice";
  EXPECT_EQ(outcome(dictionary({{"\xed\xa0\x80", square}})), "bad_tensor") << "a surrogate in a name";
}

TEST(Checkpoint, NamesFileAndTensorInMessages) {
  const test::TemporaryDirectory folder;
  const auto file = folder.write(
      "wrong.pth",
      test::checkpoint(
          dictionary({{"conv.weight", tensor(storage("FloatStorage", "0", 16), 1, {4, 4}, {4, 1})}}),
          {{"0", data}}));
  const auto checkpoint = Checkpoint::open(file);
  ASSERT_FALSE(checkpoint);
  EXPECT_EQ(checkpoint.failure().message,
            file.string() +
                ": The entry 'conv.weight' of the state_dict cannot be read. It is no valid tensor: with "
                "shape (4, 4) it reaches past the 16 elements of its storage.");
  EXPECT_THROW(static_cast<void>(Checkpoint::open(folder / "absent.pth")), Error);
  EXPECT_THROW(static_cast<void>(Checkpoint::open(folder.path())), Error) << "a folder";
}

TEST(Checkpoint, ChecksumsOfUnusedStoragesAreNotRead) {
  std::string file = test::checkpoint(dictionary({{"w", square}}), {{"0", data}, {"1", "unused storage"}});
  file[file.find("unused")] = 'U';
  EXPECT_TRUE(Checkpoint::parse(as_bytes(file)).ok());
  file[file.find(data)] ^= 1;
  EXPECT_EQ(Checkpoint::parse(as_bytes(file)).failure().kind, CheckpointError::bad_crc);
}

/// This process's resident memory in bytes: now, and the largest since the last reset.
class ResidentMemory {
 public:
  static void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }
  static std::size_t now() { return field("VmRSS:"); }
  static std::size_t peak() { return field("VmHWM:"); }

 private:
  static std::size_t field(const std::string& name) {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word && word != name) {
    }
    std::size_t kibibytes = 0;
    status >> kibibytes;
    return kibibytes * 1024;
  }
};

TEST(Checkpoint, PagesAreGivenBackWhileReading) {
  // One tensor of 192 MiB, not aligned. Its bytes are a hole in the file: zeros.
  constexpr std::int64_t side = 1 << 12;
  constexpr std::int64_t rows = 3 * side;
  constexpr std::size_t bytes = static_cast<std::size_t>(side * rows) * 4;
  const std::string stored = storage("FloatStorage", "0", side * rows);
  const std::string value = dictionary({{"w", tensor(stored, 0, {rows, side}, {side, 1})}});
  const std::string pickle = test::program(value);
  // The directory is written by hand, since the helper would hold the data in memory.
  const test::TemporaryDirectory folder;
  const auto path = folder / "large.pth";
  std::uint32_t crc = 0;
  const std::string zeros(1 << 20, '\0');
  for (std::size_t i = 0; i < bytes / zeros.size(); ++i) crc = crc32_of(as_bytes(zeros), crc);
  const std::string small = test::zip({{"a/data.pkl", pickle}});
  const std::size_t small_directory = small.find("PK\x01\x02");
  const std::string first = small.substr(0, small_directory);
  const std::string first_record = small.substr(small_directory, small.size() - 22 - small_directory);
  const std::string sizes = test::le(crc, 4) + test::le(bytes, 4) + test::le(bytes, 4);
  const std::string header =
      "PK\x03\x04" + test::le(0, 10) + sizes + test::le(8, 2) + test::le(0, 2) + "a/data/0";
  const std::string record = "PK\x01\x02" + test::le(0, 12) + sizes + test::le(8, 2) + test::le(0, 12) +
                             test::le(first.size(), 4) + "a/data/0";
  {
    std::ofstream file(path, std::ios::binary);
    file << first << header;
    file.seekp(static_cast<std::streamoff>(bytes), std::ios::cur);
    const std::size_t directory = first.size() + header.size() + bytes;
    file << first_record << record << "PK\x05\x06" << test::le(0, 4) << test::le(2, 2) << test::le(2, 2)
         << test::le(first_record.size() + record.size(), 4) << test::le(directory, 4) << test::le(0, 2);
  }
  ResidentMemory::reset_peak();
  const std::size_t before = ResidentMemory::now();
  const auto checkpoint = Checkpoint::open(path).value_or_throw();
  std::size_t read = 0;
  for (const StoredTensor& t : checkpoint.tensors()) {
    checkpoint.read(t, [&](std::span<const std::byte> piece) { read += piece.size(); });
  }
  EXPECT_EQ(read, bytes);
  EXPECT_LT(ResidentMemory::peak(), before + (std::size_t{32} << 20));
}

}  // namespace
}  // namespace tpn
