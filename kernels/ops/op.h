// What every operation header is made of.
//
// An operation is a struct whose members are its attributes. It declares
//   name                      its name in messages and tables
//   infer(inputs)             what its outputs are; throws Error for inputs that do not fit
//   forward(inputs, outputs)  the slow, obviously correct reference in double precision
//   multiply_adds(in, out)    multiply-accumulates of convolutions and matrix products, 0 for the rest
//   cases()                   the inputs that tests and benchmarks of every backend run
// It may declare
//   differentiate(gradients)  what its gradients are: operations on its inputs, its outputs and the gradient
//   of
//                             its output 0. gradients.input(i) and .output(i) are values of the forward pass,
//                             which are saved for it; .output_gradient(); .input_count(), .input_spec(i);
//                             .wants(i): whether the gradient of input i is needed, and worth any work;
//                             .apply(op, values): what a further operation makes of such values, one for each
//                             output; .set_gradient(i, value)
//   recompute(values)         what makes output 0 again for the backward pass, where that costs less than to
//   keep
//                             it: an operation on inputs and further outputs, values.apply(op, values), with
//                             .input(i), .output(i) and .inputs()
//   constrain(inputs)         what in the random inputs of a case is no free choice: labels, places
//   aliases(inputs)           which outputs are inputs updated in their place: state
// Tensors are N,T,H,W,C unless said otherwise; all reference maths is in double.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "kernels/tensor_spec.h"

namespace tpn::ops {

/// (t, h, w).
using Extent3 = std::array<std::int64_t, 3>;

/// A dense tensor of doubles that owns its data.
struct Tensor64 {
  Shape shape;
  std::vector<double> data;

  Tensor64() = default;
  explicit Tensor64(const Shape& s) : shape(s), data(static_cast<std::size_t>(s.count())) {}

  /// Element (n, t, h, w, c) of a rank-5 tensor.
  double& at(std::int64_t n, std::int64_t t, std::int64_t h, std::int64_t w, std::int64_t c) {
    return data[index(n, t, h, w, c)];
  }
  [[nodiscard]] double at(std::int64_t n, std::int64_t t, std::int64_t h, std::int64_t w,
                          std::int64_t c) const {
    return data[index(n, t, h, w, c)];
  }

 private:
  [[nodiscard]] std::size_t index(std::int64_t n, std::int64_t t, std::int64_t h, std::int64_t w,
                                  std::int64_t c) const {
    return static_cast<std::size_t>((((n * shape[1] + t) * shape[2] + h) * shape[3] + w) * shape[4] + c);
  }
};

/// An output that is that input, updated in its place.
struct Alias {
  std::size_t output = 0;
  std::size_t input = 0;

  bool operator==(const Alias&) const = default;
};

/// How a test input is drawn: normal(0, 1), or uniform(0.5, 1.5) (variances, scales).
enum class Range { symmetric, positive };

/// Inputs to run an operation on. Values are drawn at random; `range` of input i says from where.
template <class Op>
struct Case {
  std::string label;
  Op op;
  std::vector<TensorSpec> inputs;
  std::vector<Range> ranges;  ///< empty: all symmetric
  bool full_size;  ///< a layer of a full-size model: benchmarked, too slow for the reference in tests

  Case(std::string its_label, Op its_op, std::vector<TensorSpec> its_inputs,
       std::vector<Range> its_ranges = {}, bool is_full_size = false)
      : label(std::move(its_label)),
        op(std::move(its_op)),
        inputs(std::move(its_inputs)),
        ranges(std::move(its_ranges)),
        full_size(is_full_size) {}

  [[nodiscard]] Range range(std::size_t input) const {
    return input < ranges.size() ? ranges[input] : Range::symmetric;
  }
};

/// The larger; NaN if either is, as PyTorch has it.
inline double larger(double a, double b) {
  return b > a || b != b ? b : a;
}

/// Throws Error unless there are `expected` inputs.
inline void check_input_count(std::string_view op, std::span<const TensorSpec> inputs, std::size_t expected) {
  if (inputs.size() != expected) {
    throw Error(std::string(op) + " takes " + std::to_string(expected) + " inputs; it was given " +
                std::to_string(inputs.size()) + ".");
  }
}

/// Throws Error unless input `index` is of the kind and has the rank.
inline void check_input(std::string_view op, std::span<const TensorSpec> inputs, std::size_t index, Kind kind,
                        std::size_t rank) {
  if (inputs[index].kind != kind || inputs[index].shape.rank() != rank) {
    throw Error(std::string(op) + ": input " + std::to_string(index) + " must be of kind " +
                std::string(name_of(kind)) + " and have " + std::to_string(rank) + " dimensions; it is " +
                to_string(inputs[index]) + ".");
  }
}
inline void check_activation(std::string_view op, std::span<const TensorSpec> inputs, std::size_t index) {
  check_input(op, inputs, index, Kind::activation, 5);
}
inline void check_matrix(std::string_view op, std::span<const TensorSpec> inputs, std::size_t index) {
  check_input(op, inputs, index, Kind::matrix, 2);
}

/// Throws Error unless input `index` is exactly that.
inline void check_spec(std::string_view op, std::span<const TensorSpec> inputs, std::size_t index,
                       const TensorSpec& expected) {
  if (!(inputs[index] == expected)) {
    throw Error(std::string(op) + ": input " + std::to_string(index) + " must be " + to_string(expected) +
                "; it is " + to_string(inputs[index]) + ".");
  }
}

}  // namespace tpn::ops
