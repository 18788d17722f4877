#include "tests/weights_converter/synthetic_checkpoint.h"

#include <algorithm>
#include <cstring>
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

void write_meta(PickleWriter& pickle, const std::string& cfg) {
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
}

/// Keys and values of the weights, whose storages' keys begin with `storages`.
void write_weights(PickleWriter& pickle, const std::vector<ParameterSpec>& specs, const CheckpointForm& form,
                   const std::string& storages) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const bool counts = specs[i].kind == ParameterKind::bn_batches;
    pickle.text(form.rename ? form.rename(specs[i].name) : specs[i].name);
    pickle.tensor(storages + std::to_string(i), counts ? form.batches : DType::f32,
                  counts ? form.batches_shape : specs[i].shape);
  }
}

std::string make_pickle(const std::vector<ParameterSpec>& specs, const CheckpointForm& form) {
  PickleWriter pickle;
  pickle.empty_dictionary();
  pickle.mark();
  for (std::size_t depth = 0; depth < form.keys.size(); ++depth) {
    if (depth == 0) write_meta(pickle, form.cfg);
    pickle.text(form.keys[depth]);
    pickle.ordered_dictionary();
    pickle.mark();
  }
  write_weights(pickle, specs, form, "");
  for (std::size_t depth = 0; depth < form.keys.size(); ++depth) pickle.set_items();
  if (!form.averaged_key.empty()) {
    pickle.text(form.averaged_key);
    pickle.ordered_dictionary();
    pickle.mark();
    write_weights(pickle, specs, form, "a");
    pickle.set_items();
  }
  if (form.training_state == TrainingState::present) {
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

template <class Number>
void write_number(ZipWriter& zip, std::int64_t count) {
  const auto number = static_cast<Number>(count);
  zip.write(std::as_bytes(std::span(&number, 1)));
}

/// A num_batches_tracked of another type; averages of counts have fractions.
void write_batches(ZipWriter& zip, std::int64_t count, const CheckpointForm& form) {
  switch (form.batches) {
    case DType::f64: {
      const double number = static_cast<double>(count) + form.batches_more;
      return zip.write(std::as_bytes(std::span(&number, 1)));
    }
    case DType::f32:
      return write_number<float>(zip, count);
    case DType::i32:
      return write_number<std::int32_t>(zip, count);
    default:
      return write_number<std::int64_t>(zip, count);
  }
}

void write_values(ZipWriter& zip, const std::string& key, const ParameterSpec& spec, const Config& config,
                  const CheckpointForm& form, std::uint64_t seed) {
  zip.begin_entry("epoch_150/data/" + key);
  initialize_parameter(spec, config, Initialization::varied, seed, [&](std::span<const std::byte> piece) {
    if (spec.kind != ParameterKind::bn_batches) return zip.write(piece);
    std::int64_t count = 0;
    std::memcpy(&count, piece.data(), sizeof(count));
    write_batches(zip, count, form);
  });
}

}  // namespace

void write_checkpoint(const Config& config, const std::filesystem::path& path, const CheckpointForm& form) {
  std::vector<ParameterSpec> specs = parameter_specs(config);
  std::erase_if(specs, [&](const ParameterSpec& spec) {
    return std::ranges::any_of(form.left_out,
                               [&](const std::string& start) { return spec.name.starts_with(start); });
  });
  if (form.reshape) {
    for (ParameterSpec& spec : specs) spec.shape = form.reshape(spec);
  }
  OutputFile file(path);
  ZipWriter zip([&](std::span<const std::byte> bytes) { file.write(bytes); });
  zip.begin_entry("epoch_150/data.pkl");
  zip.write(make_pickle(specs, form));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    write_values(zip, std::to_string(i), specs[i], config, form, checkpoint_seed);
    if (!form.averaged_key.empty()) {
      write_values(zip, 'a' + std::to_string(i), specs[i], config, form, averaged_seed);
    }
  }
  for (std::size_t i = 0; form.training_state == TrainingState::present && i < momentum_tensors; ++i) {
    ParameterSpec momentum = specs[i];
    momentum.kind = ParameterKind::bn_shift;  // floats, also for a counter
    write_values(zip, momentum_key(i), momentum, config, form, checkpoint_seed);
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
