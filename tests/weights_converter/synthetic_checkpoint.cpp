#include "tests/weights_converter/synthetic_checkpoint.h"

#include <sstream>
#include <vector>

#include "engine/model/output_file.h"
#include "engine/networks/initialize.h"
#include "weights_converter/pickle_writer.h"
#include "weights_converter/zip_writer.h"

namespace tpn::test {
namespace {

constexpr std::size_t momentum_tensors = 20;

std::string momentum_key(std::size_t index) {
  return 'm' + std::to_string(index);
}

/// numpy.ndarray of float64, as protocol 2 has it: bytes go as Latin-1 text through _codecs.encode.
void write_array(PickleWriter& pickle, std::int64_t count) {
  const auto write_bytes = [&](const std::string& latin1) {
    pickle.global("_codecs", "encode");
    pickle.mark();
    pickle.text(latin1);
    pickle.text("latin1");
    pickle.close_tuple();
    pickle.call();
  };
  pickle.global("numpy.core.multiarray", "_reconstruct");
  pickle.mark();
  pickle.global("numpy", "ndarray");
  pickle.mark();
  pickle.integer(0);
  pickle.close_tuple();
  write_bytes("b");
  pickle.close_tuple();
  pickle.call();
  pickle.mark();
  pickle.integer(1);
  pickle.mark();
  pickle.integer(count);
  pickle.close_tuple();
  pickle.global("numpy", "dtype");
  pickle.mark();
  pickle.text("f8");
  pickle.boolean(false);
  pickle.boolean(true);
  pickle.close_tuple();
  pickle.call();
  pickle.boolean(false);
  write_bytes(std::string(static_cast<std::size_t>(count) * 8, '\0'));
  pickle.close_tuple();
  pickle.build();
}

/// One logged series: an object of a class of mmengine.
void write_history(PickleWriter& pickle) {
  pickle.global("mmengine.logging.history_buffer", "HistoryBuffer");
  pickle.empty_tuple();
  pickle.call();
  pickle.empty_dictionary();
  pickle.mark();
  pickle.text("_max_length");
  pickle.integer(1'000'000);
  pickle.text("_log_history");
  write_array(pickle, 1000);
  pickle.text("_count_history");
  write_array(pickle, 1000);
  pickle.set_items();
  pickle.build();
}

void write_message_hub(PickleWriter& pickle) {
  pickle.empty_dictionary();
  pickle.mark();
  pickle.text("log_scalars");
  pickle.ordered_dictionary();
  pickle.mark();
  for (const char* name : {"train/lr", "train/loss", "train/grad_norm"}) {
    pickle.text(name);
    write_history(pickle);
  }
  pickle.set_items();
  pickle.text("runtime_info");
  pickle.ordered_dictionary();
  pickle.text("resumed_keys");
  pickle.ordered_dictionary();
  pickle.set_items();
}

void write_optimizer(PickleWriter& pickle, const std::vector<ParameterSpec>& specs) {
  pickle.empty_dictionary();
  pickle.mark();
  pickle.text("state");
  pickle.empty_dictionary();
  pickle.mark();
  for (std::size_t i = 0; i < momentum_tensors; ++i) {
    pickle.integer(static_cast<std::int64_t>(i));
    pickle.empty_dictionary();
    pickle.mark();
    pickle.text("momentum_buffer");
    pickle.tensor(momentum_key(i), DType::f32, specs[i].shape);
    pickle.set_items();
  }
  pickle.set_items();
  pickle.text("param_groups");
  pickle.empty_list();
  pickle.mark();
  pickle.empty_dictionary();
  pickle.mark();
  pickle.text("lr");
  pickle.real(0.01);
  pickle.text("nesterov");
  pickle.boolean(true);
  pickle.text("maximize");
  pickle.none();
  pickle.set_items();
  pickle.append_items();
  pickle.set_items();
}

std::string make_pickle(const std::vector<ParameterSpec>& specs, const std::string& cfg,
                        TrainingState training_state) {
  PickleWriter pickle;
  pickle.empty_dictionary();
  pickle.mark();
  pickle.text("meta");
  pickle.empty_dictionary();
  pickle.mark();
  pickle.text("epoch");
  pickle.integer(150);
  pickle.text("cfg");
  pickle.text(cfg);
  pickle.text("mmengine_version");
  pickle.text("0.10.4");
  pickle.set_items();
  pickle.text("state_dict");
  pickle.ordered_dictionary();
  pickle.mark();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const DType dtype = specs[i].kind == ParameterKind::bn_batches ? DType::i64 : DType::f32;
    pickle.text(specs[i].name);
    pickle.tensor(std::to_string(i), dtype, specs[i].shape);
  }
  pickle.set_items();
  if (training_state == TrainingState::present) {
    pickle.text("message_hub");
    write_message_hub(pickle);
    pickle.text("optimizer");
    write_optimizer(pickle, specs);
    pickle.text("param_schedulers");
    pickle.empty_list();
  }
  pickle.set_items();
  return pickle.finish();
}

}  // namespace

void write_checkpoint(const Config& config, const std::filesystem::path& path, const std::string& cfg,
                      TrainingState training_state) {
  const std::vector<ParameterSpec> specs = parameter_specs(config);
  OutputFile file(path);
  ZipWriter zip(file);
  zip.begin_entry("epoch_150/data.pkl");
  zip.write(make_pickle(specs, cfg, training_state));
  const auto write_values = [&](const std::string& key, const ParameterSpec& spec) {
    zip.begin_entry("epoch_150/data/" + key);
    initialize_parameter(spec, config, Initialization::varied, 1,
                         [&](std::span<const std::byte> piece) { zip.write(piece); });
  };
  for (std::size_t i = 0; i < specs.size(); ++i) write_values(std::to_string(i), specs[i]);
  for (std::size_t i = 0; training_state == TrainingState::present && i < momentum_tensors; ++i) {
    ParameterSpec momentum = specs[i];
    momentum.kind = ParameterKind::bn_shift;  // floats, also for a counter
    write_values(momentum_key(i), momentum);
  }
  zip.begin_entry("epoch_150/version");
  zip.write("3\n");
  zip.finish();
  file.commit();
}

std::string slowonly_cfg(int clip_len, int frame_interval) {
  std::ostringstream text;
  text << "default_scope = 'mmaction'\n"
          "model = dict(\n"
          "    backbone=dict(depth=50, inflate=(0, 0, 1, 1), type='ResNet3dSlowOnly'),\n"
          "    cls_head=dict(average_clips='prob', dropout_ratio=0.25, num_classes=400, type='TPNHead'),\n"
          "    neck=dict(\n"
          "        temporal_modulation_cfg=dict(downsample_scales=(\n"
          "            "
       << clip_len
       << ",\n"
          "            "
       << clip_len
       << ",\n"
          "        )),\n"
          "        type='TPN'),\n"
          "    test_cfg=dict(fcn_test=True),\n"
          "    type='Recognizer3D')\n"
          "test_pipeline = [\n"
          "    dict(type='DecordInit'),\n"
          "    dict(clip_len="
       << clip_len << ", frame_interval=" << frame_interval
       << ",\n"
          "         num_clips=10, test_mode=True, type='SampleFrames'),\n"
          "    dict(scale=(-1, 256), type='Resize'),\n"
          "    dict(crop_size=256, type='ThreeCrop'),\n"
          "]\n";
  return text.str();
}

}  // namespace tpn::test
