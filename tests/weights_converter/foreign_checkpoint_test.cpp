// What is given as a checkpoint and is none, or none that can be read: the sentence that says so.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/checkpoint_builder.h"
#include "weights_converter/checkpoint.h"

namespace tpn {
namespace {

using namespace std::string_literals;
using test::call;
using test::dictionary;
using test::global;

const std::string data(64, '\0');
const std::string square = test::tensor(test::storage("FloatStorage", "0", 16), 0, {4, 4}, {4, 1});
const std::string arguments = test::tuple({test::storage("FloatStorage", "0", 16), test::number(0),
                                           test::numbers({4, 4}), test::numbers({4, 1}), "\x89", "}"});

std::string message(const std::string& file, std::string_view weights = {}) {
  const auto checkpoint = Checkpoint::parse(test::as_bytes(file), weights);
  return checkpoint ? "read" : checkpoint.failure().message;
}

std::string message_of(const std::string& value) {
  return message(test::checkpoint(value, {{"0", data}}));
}

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(ForeignCheckpoint, OtherArchives) {
  const auto archive = [](const std::vector<std::string>& names, std::uint16_t method = 0) {
    std::vector<test::ZipInput> entries;
    entries.reserve(names.size());
    for (const std::string& name : names) entries.push_back({name, "x", method});
    return message(test::zip(entries));
  };
  expect_part(archive({"net/data.pkl", "net/constants.pkl", "net/code/__torch__.py"}), "TorchScript");
  expect_part(archive({"net/data.pkl", "net/code/__torch__.py"}, 8), "TorchScript");
  expect_part(archive({"folder/epoch_1.pth"}, 8), "zip archive with 'folder/epoch_1.pth' in it");
  expect_part(archive({"a.npy", "b.npy"}), "NumPy archive");
  expect_part(archive({"config.json", "model.weights.h5"}), "Keras");
  expect_part(archive({"readme.txt"}), "no data.pkl");
  expect_part(archive({"a/data.pkl"}, 8), "compressed entry");
  expect_part(message(test::zip({{"secret.pth", "x", 8, 0x809}})), "encrypted entry 'secret.pth'");
}

TEST(ForeignCheckpoint, OtherFiles) {
  expect_part(message("version https://git-lfs.github.com/spec/v1\n"), "It is a pointer of Git LFS");
  expect_part(message("\n<!doctype html>"), "It is a web page");
  expect_part(message("\x02\0\0\0\0\0\0\0{}"s), "It is a safetensors file");
  expect_part(message("PK\x07\x08PK\x03\x04"s), "split zip");
  expect_part(message("\x80\x02}."s), "It is a Python pickle.");
  EXPECT_EQ(message("nothing known"), "The file is not one that torch.save wrote.");
  EXPECT_EQ(message(""), "The file is empty.");
}

TEST(ForeignCheckpoint, WholeModules) {
  const std::string module = call(global("my.models", "Net"), {});
  expect_part(message_of(module), "'my.models.Net', a whole object; save model.state_dict()");
  expect_part(message_of(dictionary({{"model", module}})), "under 'model' there is the result of calling");
}

TEST(ForeignCheckpoint, OtherFormsOfTensors) {
  const auto weight = [](const std::string& value) {
    return message_of(dictionary({{"state_dict", dictionary({{"w", value}, {"other", square}})}}));
  };
  const auto rebuilt = [&](const std::string& function) {
    return weight(call(global("torch._utils", function), {}));
  };
  expect_part(rebuilt("_rebuild_sparse_tensor"),
              "'w' of the state_dict cannot be read. It is a sparse tensor");
  expect_part(rebuilt("_rebuild_qtensor"), "quantized");
  expect_part(rebuilt("_rebuild_meta_tensor_no_storage"), "without data");
  expect_part(weight(call(global("torch.distributed.tensor", "DTensor"), {})), "distributed tensor");
  EXPECT_EQ(weight(call(global("argparse", "Namespace"), {})), "read") << "not a tensor, and left out";
  const std::string array = call(global("numpy.core.multiarray", "_reconstruct"), {});
  EXPECT_EQ(weight(array), "read") << "beside tensors it is no weight";
  expect_part(message_of(dictionary({{"state_dict", dictionary({{"w", array}})}})), "NumPy array");
  expect_part(message_of(dictionary({{"model", dictionary({{"w", array}})}})), "arrays are NumPy's");
}

TEST(ForeignCheckpoint, TensorsWithAttributes) {
  const auto from_type = [](const std::vector<std::string>& parts) {
    return message_of(dictionary({{"w", call(global("torch._tensor", "_rebuild_from_type_v2"), parts)}}));
  };
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string type = global("torch", "Tensor");
  EXPECT_EQ(from_type({rebuild, type, arguments, "}"}), "read");
  expect_part(from_type({rebuild, type, arguments}), "no valid tensor");
  expect_part(from_type({rebuild, type, "}", "}"}), "no valid tensor");
  expect_part(from_type({global("os", "system"), type, arguments, "}"}), "no valid tensor");
  expect_part(from_type({global("torch._utils", "_rebuild_sparse_tensor"), type, arguments, "}"}), "sparse");
}

TEST(ForeignCheckpoint, SeveralWeightsOfWhichNoneIsUsual) {
  const std::string weights = dictionary({{"w", square}});
  const std::string file = test::checkpoint(
      dictionary({{"generator", weights}, {"critic", weights}, {"optimizer", weights}}), {{"0", data}});
  expect_part(message(file), "('generator', 'critic'); --weights says which");
  EXPECT_EQ(message(file, "critic"), "read");
  expect_part(message_of(dictionary({{"generator", weights}, {"generator_ema", weights}})),
              "('generator', 'generator_ema'); --weights says which");
  expect_part(message(file, "optimiser"),
              "no weights under 'optimiser'; there are in 'generator', 'critic'.");
}

}  // namespace
}  // namespace tpn
