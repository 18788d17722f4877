// The clips that a network is trained or validated with, and their classes, from lists and folders as people
// have them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/video/frame_reader.h"

namespace tpn {

/// One entry of a list.
struct Sample {
  std::filesystem::path path;  ///< a video, or a folder of raw frames
  std::int64_t label = 0;      ///< counted from 0
  std::int64_t frames = 0;     ///< of a folder of raw frames as the list says; 0: a video, or not said
  std::string origin;          ///< "train.txt:17", "train/archery/a.mp4": begins every message about it
};

struct SampleList {
  std::string name;  ///< what the list is called in messages
  std::vector<Sample> samples;
  std::vector<std::string> classes;   ///< names in the order of labels; empty when the data has none
  std::vector<std::string> faults;    ///< entries that are no samples: sentences that begin with an origin
  std::vector<std::string> warnings;  ///< sentences: files passed over in folders
};

struct SampleListOptions {
  /// Where relative paths begin; empty: in the list's folder.
  std::filesystem::path root = {};
  /// What raw frames are called. With a pattern every entry of a list names a folder of them.
  RawFrameNames raw_frames = {};
  /// Names in the order of labels, known already: of --labels, or the training data's for validation data.
  std::vector<std::string> classes = {};
};

/// Reads a list, told by what is in it:
///   PATH LABEL                      mmaction2's list of videos; blanks in paths are allowed
///   FOLDER FRAMES LABEL             its list of raw frames; also ID FRAMES LABEL of a video
///   PATH,LABEL                      or with ; or a tab; fields may be quoted; also FOLDER,FRAMES,LABEL
///   a heading and such lines        columns by name: path (file, video, video_id, id, youtube_id, ...),
///   label
///                                   (class, label_index, template, ...), num_frames, time_start and time_end
///   [{"id": "7", "template": "Holding [something]"}, ...]     Something-Something's JSON
/// or else a folder with one folder a class, whose videos and folders of frames may lie deeper.
/// Labels are numbers from 0, or names, whose numbers are their places in `options.classes`, else in the
/// labels.json (something-something-v2-labels.json) beside a JSON list, else in the sorted names of the data.
/// Entries without the end of a video's name stand for that folder, or for the video that is called so but
/// for its end, in the root or in the class's folder there; with times that is ID_START_END as Kinetics has
/// it. Paths are bytes, names UTF-8; a byte order mark, CRLF and empty lines at the end do no harm. Throws
/// Error, naming the list, when it cannot be read, is none of these, or has no entry. What is wrong with
/// single entries goes to `faults`.
SampleList read_sample_list(const std::filesystem::path& list_or_folder,
                            const SampleListOptions& options = {});

/// A message about a sample: with its origin in front, where the message does not begin with it (as those
/// about files do, where these are the origin).
std::string about(const Sample& sample, const std::string& message);

/// One more than the largest label, or the number of class names where that is more.
std::int64_t class_count(const SampleList& list);

}  // namespace tpn
