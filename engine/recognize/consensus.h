// From the logits of a video's views to its scores.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace tpn {

/// logits: (views, classes), views >= 1. average_clips as in HeadConfig: "score" gives the mean of the logits
/// over the views, everything else the mean of their softmax ("none" too, because a video has one score per
/// class here). Sums are taken in double and in the order of the views.
std::vector<float> average_views(std::span<const float> logits, int classes,
                                 const std::string& average_clips);

}  // namespace tpn
