#include "engine/exec/packed_forms.h"

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"

namespace tpn {
namespace {

/// y = batch norm of x, whose form is its scale and shift, (8) each.
class PackedFormsTest : public ::testing::Test {
 protected:
  PackedFormsTest() {
    operands_.push_back({.shape = {1, 1, 1, 2, 8}});
    for (const char* name : {"scale", "shift", "mean", "variance"}) {
      operands_.push_back({.shape = {8}, .kind = Kind::per_channel, .name = name});
      parameters_.emplace_back(8, 1.0F);
    }
    kernel_ = compile();
  }

  [[nodiscard]] std::unique_ptr<Kernel> compile() const {
    return backend_->compile(ops::BatchNorm{.eps = 0}, {operands_, {operands_.data(), 1}});
  }
  [[nodiscard]] std::vector<ConstTensorView> sources() const {
    std::vector<ConstTensorView> views;
    for (const std::vector<float>& values : parameters_) {
      views.push_back({reinterpret_cast<const std::byte*>(values.data()), DType::f32, {8}});
    }
    return views;
  }

  std::shared_ptr<const Backend> backend_ = std::make_shared<CpuBackend>(1);
  std::vector<Operand> operands_;
  std::vector<std::vector<float>> parameters_;
  std::unique_ptr<Kernel> kernel_;
};

TEST_F(PackedFormsTest, FollowTheirParameters) {
  PackedForms forms(backend_);
  const std::byte* form = forms.add(kernel_->packings()[0], sources());
  EXPECT_EQ(forms.bytes(), 16 * sizeof(float));
  const auto stream = backend_->make_stream();
  const auto recorded = stream->record([&] { forms.pack(*stream); });
  for (const float scale : {3.0F, 5.0F}) {
    parameters_[0][2] = scale;
    recorded->replay(*stream);
    const auto* const values = reinterpret_cast<const float*>(form);
    EXPECT_EQ(values[2], scale);
    EXPECT_EQ(values[8 + 2], 1 - scale);  // shift - mean scale
    EXPECT_EQ(values[3], 1);
  }
}

TEST_F(PackedFormsTest, ShareWhatHasOneKey) {
  PackedForms forms(backend_);
  const auto other = compile();
  const std::byte* form = forms.add(kernel_->packings()[0], sources());
  EXPECT_EQ(forms.add(other->packings()[0], sources()), form);
  EXPECT_EQ(forms.bytes(), 16 * sizeof(float));
  std::vector<ConstTensorView> others = sources();
  std::swap(others[0], others[1]);
  EXPECT_THROW((void)forms.add(other->packings()[0], others), Error);
}

}  // namespace
}  // namespace tpn
