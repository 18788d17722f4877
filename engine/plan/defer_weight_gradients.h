// Weight gradients that are larger than what they are made of wait until they are read.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/plan/layout.h"

namespace tpn {

/// An order of a graph's nodes in which those that make weights of activations, as weight gradients are,
/// stand just before what reads them, where the activations that are kept so long take fewer bytes than the
/// weights. A step of training on a small batch is then not fullest where the gradients of all the deep
/// layers meet the activations of the first. What keeps most goes first. keep: values that are there to the
/// end. Returns places in graph.nodes().
std::vector<std::size_t> defer_weight_gradients(const Layout& layout, std::span<const ValueId> keep);

}  // namespace tpn
