// Trials of kernels and what is made of them.
#include <gtest/gtest.h>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/fused_conv3d.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/selection.h"
#include "kernels/cuda/trial.h"
#include "kernels/cuda/trial_kernels.h"
#include "kernels/verify/bound_case.h"
#include "kernels/verify/tolerance.h"
#ifdef CUDA_ON_CPU
#include "tests/cuda_on_cpu/control.h"
#endif

namespace tpn::cuda {
namespace {

using FusedCase = ops::Case<ops::FusedConv3d>;

const FusedCase& case_named(const std::string& label) {
  static const std::vector<FusedCase> cases = ops::FusedConv3d::cases();
  return *std::find_if(cases.begin(), cases.end(), [&](const FusedCase& c) { return c.label == label; });
}

/// Does something else after a kernel has run.
class Spoiled final : public Kernel {
 public:
  using Spoil = std::function<void(const TensorView& y, Stream& stream)>;
  Spoiled(std::unique_ptr<Kernel> kernel, Spoil spoil)
      : kernel_(std::move(kernel)), spoil_(std::move(spoil)) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return kernel_->packings();
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    kernel_->run(inputs, outputs, packed, scratch, stream);
    spoil_(outputs[0], stream);
  }
  [[nodiscard]] std::size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  [[nodiscard]] std::string implementation() const override { return "spoiled"; }

 private:
  std::unique_ptr<Kernel> kernel_;
  Spoil spoil_;
};

/// Calls use(op, signature) with the signature that the case has on the device.
template <class Use>
void with_signature(const FusedCase& c, verify::BindOptions options, const Use& use) {
  const CudaBackend backend;
  options.compile = [&](const AnyOp& op, const Signature& signature) {
    use(std::get<ops::FusedConv3d>(op), signature);
    return cuda::compile(std::get<ops::FusedConv3d>(op), signature);
  };
  const verify::BoundCase bound(c, backend, options);
}

CompilePlain plain_of(const ops::FusedConv3d& op) {
  return [op](const Signature& signature) { return compile_plain(op, signature); };
}

TEST(Trial, ChoosesTheFastestOfThoseThatAreRight) {
  for (const char* label :
       {"spatial_strided_norm_add_relu", "temporal_add_one_frame", "pointwise_odd_relu", "shift_by_5"}) {
    for (const auto& [precision, tf32] : {std::pair(DType::f32, false), std::pair(DType::f32, true),
                                          std::pair(DType::bf16, false), std::pair(DType::f16, false)}) {
      SCOPED_TRACE(std::string(label) + " " + std::string(name_of(precision)) + (tf32 ? " tf32" : ""));
      with_signature(case_named(label), {.precision = precision, .tf32 = tf32},
                     [](const ops::FusedConv3d& op, const Signature& signature) {
                       const auto all = candidates(op, signature);
                       const auto reports = try_candidates(plain_of(op), signature, all);
                       ASSERT_EQ(reports.size(), all.size());
                       const CandidateReport* chosen = nullptr;
                       double fastest = 1e9;
                       for (std::size_t i = 0; i < reports.size(); ++i) {
                         EXPECT_EQ(reports[i].implementation, all[i]->implementation());
                         EXPECT_EQ(reports[i].reason, "") << reports[i].implementation;
                         EXPECT_GT(reports[i].seconds, 0);
                         fastest = std::min(fastest, reports[i].seconds);
                         if (reports[i].chosen) {
                           EXPECT_EQ(chosen, nullptr);
                           chosen = &reports[i];
                         }
                       }
                       ASSERT_NE(chosen, nullptr);
                       EXPECT_EQ(chosen->seconds, fastest);
                     });
    }
  }
}

TEST(Trial, RefusesWhatIsWrong) {
  const auto clear_one = [](const TensorView& y, Stream& stream) { stream.clear(y.data, 64); };
  const auto clear_behind = [](const TensorView& y, Stream& stream) {
    stream.clear(y.data + 16 * size_of(y.dtype), 16);  // past the 16 channels of the first pixel
  };
  const auto fail = [](const TensorView&, Stream&) { throw Error("It does not feel like it."); };
  with_signature(case_named("temporal_norm"), {.precision = DType::bf16, .extra_output_stride = 8},
                 [&](const ops::FusedConv3d& op, const Signature& signature) {
                   std::vector<std::unique_ptr<Kernel>> all;
                   for (const Spoiled::Spoil& spoil : {Spoiled::Spoil(clear_one), {clear_behind}, {fail}}) {
                     all.push_back(std::make_unique<Spoiled>(cuda::compile(op, signature), spoil));
                   }
                   for (const CandidateReport& report : try_candidates(plain_of(op), signature, all)) {
                     EXPECT_FALSE(report.chosen);
                   }
                   all.push_back(cuda::compile(op, signature));
                   const auto reports = try_candidates(plain_of(op), signature, all);
                   EXPECT_TRUE(reports[0].reason.starts_with("It deviates from the plain kernel by 0."))
                       << reports[0].reason;
                   EXPECT_TRUE(reports[1].reason.starts_with("It writes ")) << reports[1].reason;
                   EXPECT_EQ(reports[2].reason, "It does not feel like it.");
                   EXPECT_TRUE(reports[3].chosen);
                 });
}

TEST(TrialKernels, CompareCountsStraysAndSeesNaN) {
  const CudaBackend backend;
  const auto stream = backend.make_stream();
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    // Five pixels of 13 channels, 24 elements apart: 3 of padding, then 8 of somebody else.
    const TrialTensor shape{nullptr, dtype, 5, 13, 24};
    const Buffer y_memory = backend.allocate(shape.bytes()),
                 reference_memory = backend.allocate(shape.bytes());
    TrialTensor y = shape, reference = shape;
    y.data = y_memory.data();
    reference.data = reference_memory.data();
    reference.pixels = 2;  // the others repeat them
    fill_random(y, 2, 7, *stream);
    fill_random(reference, 2, 7, *stream);
    Comparison found = compare(y, reference, *stream);
    EXPECT_EQ(found.relative_error, 0);
    EXPECT_EQ(found.strays, 5 * 8);  // fill_random()'s NaN there is another than fill_nan()'s
    fill_random(reference, 2, 8, *stream);
    found = compare(y, reference, *stream);
    EXPECT_NEAR(found.relative_error, std::sqrt(2.0), 0.5);
    fill_nan(y, *stream);
    found = compare(y, reference, *stream);
    EXPECT_TRUE(std::isnan(found.relative_error));
    EXPECT_EQ(found.strays, 5 * 3);
  }
}

SelectionContext context(std::shared_ptr<SelectionStore> store, double seconds = 100) {
  SelectionContext context;
  context.identity = "a device";
  context.trial_seconds = seconds;
  context.store = std::move(store);
  return context;
}

/// A library whose kernels are those of `make`.
Library library(const std::string& name,
                const std::function<Kernels(const ops::FusedConv3d&, const Signature&)>& make) {
  return {name,
          [make](const AnyOp& op, const Signature& signature, std::string_view) {
            return make(std::get<ops::FusedConv3d>(op), signature);
          },
          [name] { return name + " 1.0"; }};
}

TEST(KernelSelector, TriesOnceAndRemembers) {
  with_signature(case_named("pointwise_norm_relu"), {.precision = DType::bf16},
                 [](const ops::FusedConv3d& op, const Signature& signature) {
                   const auto store = std::make_shared<SelectionStore>();
                   KernelSelector first(context(store));
                   const auto chosen = first.select(op, signature);
                   EXPECT_TRUE(store->take_changed());
                   ASSERT_FALSE(chosen->candidates().empty());

                   KernelSelector second(context(store, 0));
                   const auto again = second.select(op, signature);
                   EXPECT_FALSE(store->take_changed());
                   EXPECT_EQ(again->implementation(), chosen->implementation());
                   EXPECT_EQ(again->candidates().size(), chosen->candidates().size());
                   EXPECT_EQ(again->scratch_bytes(), chosen->scratch_bytes());
                   EXPECT_EQ(again->work().multiply_adds, chosen->work().multiply_adds);
                 });
}

TEST(KernelSelector, TakesWhatIsRememberedWithoutRunningIt) {
  with_signature(case_named("pointwise_norm_relu"), {.precision = DType::f32},
                 [](const ops::FusedConv3d& op, const Signature& signature) {
                   const auto store = std::make_shared<SelectionStore>();
                   const std::string key = "a device; " + convolution_key(op, signature);
                   const std::string plain = compile_plain(op, signature)->implementation();
                   store->put(key, {{plain, 1, 0, true, ""}});
                   KernelSelector selector(context(store));
                   EXPECT_EQ(selector.select(op, signature)->implementation(), plain);

                   store->put(key, {{"a kernel of another time", 1, 0, true, ""}});
                   EXPECT_NE(selector.select(op, signature)->implementation(), "a kernel of another time");
                   EXPECT_GT(store->find(key)->size(), 1U);  // tried anew
                 });
}

TEST(KernelSelector, EstimatesWhenItsTimeIsUp) {
  with_signature(case_named("pointwise_norm_relu"), {.precision = DType::f32},
                 [](const ops::FusedConv3d& op, const Signature& signature) {
                   const auto store = std::make_shared<SelectionStore>();
                   KernelSelector selector(context(store, 0));
                   const auto kernel = selector.select(op, signature);
                   EXPECT_EQ(kernel->implementation(), cuda::compile(op, signature)->implementation());
                   EXPECT_TRUE(kernel->candidates().empty());
                   EXPECT_FALSE(store->take_changed());
                 });
}

TEST(KernelSelector, AFailingLibraryTakesNothingFromTheOthers) {
  const auto fails = [](const auto&, const auto&) -> Kernels { throw Error("It is out of sorts."); };
  const auto works = [](const ops::FusedConv3d& op, const Signature& signature) {
    Kernels kernels;
    kernels.push_back(
        std::make_unique<Spoiled>(cuda::compile(op, signature), [](const TensorView&, Stream&) {}));
    return kernels;
  };
  for (const bool first : {true, false}) {
    with_signature(case_named("pointwise_norm_relu"), {.precision = DType::f32},
                   [&](const ops::FusedConv3d& op, const Signature& signature) {
                     SelectionContext with_both = context(std::make_shared<SelectionStore>());
                     with_both.libraries = {library("one", fails), library("other", works)};
                     if (!first) std::swap(with_both.libraries[0], with_both.libraries[1]);
                     KernelSelector selector(std::move(with_both));
                     const auto reports = selector.select(op, signature)->candidates();
                     const auto named = [&](std::string_view name) {
                       return std::ranges::find(reports, name, &CandidateReport::implementation);
                     };
                     ASSERT_NE(named("spoiled"), reports.end());
                     EXPECT_EQ(named("spoiled")->reason, "");
                     ASSERT_NE(named("one"), reports.end());
                     EXPECT_EQ(named("one")->reason, "It is out of sorts.");
                   });
  }
}

/// Calls use(op, signature) with the first small case of an operation, compiled for the emulated device.
template <class Op, class Use>
void with_first_case(const Use& use) {
  const CudaBackend backend;
  const verify::BoundCase bound(Op::cases().front(), backend,
                                {.compile = [&](const AnyOp& op, const Signature& signature) {
                                  use(std::get<Op>(op), signature);
                                  return cuda::compile(std::get<Op>(op), signature);
                                }});
}

/// Gradients are chosen among libraries' kernels too; one that is wrong may not win.
TEST(KernelSelector, AsksLibrariesForGradients) {
  const auto check = []<class Op>(std::type_identity<Op>) {
    for (const bool right : {true, false}) {
      const auto made = [right](const AnyOp& op, const Signature& signature, std::string_view) {
        Kernels kernels;
        kernels.push_back(std::make_unique<Spoiled>(cuda::compile(std::get<Op>(op), signature),
                                                    [right](const TensorView& out, Stream& stream) {
                                                      if (!right) stream.clear(out.data, 64);
                                                    }));
        return kernels;
      };
      with_first_case<Op>([&](const Op& op, const Signature& signature) {
        SelectionContext with_library = context(std::make_shared<SelectionStore>());
        with_library.libraries = {{"a library", made, [] { return std::string("1.0"); }}};
        KernelSelector selector(std::move(with_library));
        const auto reports = selector.select(op, signature)->candidates();
        const auto spoiled = std::ranges::find(reports, "spoiled", &CandidateReport::implementation);
        ASSERT_NE(spoiled, reports.end());
        EXPECT_EQ(spoiled->reason.empty(), right);
        EXPECT_TRUE(right || !spoiled->chosen);
      });
    }
  };
  check(std::type_identity<ops::Conv3dDataGradient>{});
  check(std::type_identity<ops::Conv3dWeightGradient>{});
}

/// Level fusion, as any operation with candidates could be.
class SelectableFusion final : public Selectable {
 public:
  SelectableFusion(const ops::LevelFusion& op, const Signature& signature) : Selectable(signature), op_(op) {}

  [[nodiscard]] std::string key() const override { return "level fusion"; }
  [[nodiscard]] Kernels candidates(std::vector<CandidateReport>&) const override {
    return cuda::candidates(op_, signature());
  }
  [[nodiscard]] std::unique_ptr<Kernel> named(std::string_view implementation) const override {
    for (auto& kernel : cuda::candidates(op_, signature())) {
      if (kernel->implementation() == implementation) return std::move(kernel);
    }
    return nullptr;
  }
  [[nodiscard]] std::unique_ptr<Kernel> guess() const override { return compile(op_, signature()); }
  [[nodiscard]] std::unique_ptr<Kernel> plain(const Signature& signature) const override {
    return std::move(cuda::candidates(op_, signature).back());
  }

 private:
  const ops::LevelFusion& op_;
};

TEST(KernelSelector, TriesAnyOperationThatHasSeveralKernels) {
  const CudaBackend backend;
  int tried = 0;
  for (const ops::Case<ops::LevelFusion>& c : ops::LevelFusion::cases()) {
    if (c.full_size) continue;
    SCOPED_TRACE(c.label);
    verify::BindOptions options{.precision = DType::bf16};
    options.compile = [&](const AnyOp& op, const Signature& signature) {
      const SelectableFusion fusion(std::get<ops::LevelFusion>(op), signature);
      const auto store = std::make_shared<SelectionStore>();
      KernelSelector selector(context(store));
      auto chosen = selector.select(fusion);
      const std::vector<CandidateReport> reports = chosen->candidates();
      EXPECT_GE(reports.size(), 2U);
      for (const CandidateReport& report : reports) EXPECT_EQ(report.reason, "") << report.implementation;
      EXPECT_EQ(std::ranges::count_if(reports, &CandidateReport::chosen), 1);
      KernelSelector later(context(store, 0));
      EXPECT_EQ(later.select(fusion)->implementation(), chosen->implementation());
      ++tried;
      return chosen;
    };
    verify::BoundCase bound(c, backend, options);
    bound.run();
    EXPECT_LE(verify::relative_l2(bound.output(), verify::reference_output(c, bound)),
              verify::op_bf16_relative_l2);
  }
  EXPECT_GE(tried, 2);
}

/// Selects a kernel for each of an operation's cases of these labels: all candidates have to be right.
template <class Op>
void expect_gradients_are_tried(std::initializer_list<std::string_view> labels,
                                const verify::BindOptions& base, double tolerance) {
  const CudaBackend backend;
  std::size_t tried = 0;
  for (const ops::Case<Op>& c : Op::cases()) {
    if (std::ranges::find(labels, c.label) == labels.end()) continue;
    SCOPED_TRACE(std::string(Op::name) + " " + c.label);
    verify::BindOptions options = base;
    options.compile = [&](const AnyOp& op, const Signature& signature) {
      const Op& gradient = std::get<Op>(op);
      const auto store = std::make_shared<SelectionStore>();
      KernelSelector selector(context(store));
      auto chosen = selector.select(gradient, signature);
      const std::vector<CandidateReport> reports = chosen->candidates();
      EXPECT_EQ(reports.size(), candidates(gradient, signature).size());
      for (const CandidateReport& report : reports) EXPECT_EQ(report.reason, "") << report.implementation;
      EXPECT_EQ(std::ranges::count_if(reports, &CandidateReport::chosen), 1);
      KernelSelector later(context(store, 0));
      EXPECT_EQ(later.select(gradient, signature)->implementation(), chosen->implementation());
      ++tried;
      return chosen;
    };
    verify::BoundCase bound(c, backend, options);
    bound.run();
    EXPECT_LE(verify::relative_l2(bound.output(), verify::reference_output(c, bound)), tolerance);
  }
  EXPECT_EQ(tried, labels.size());
}

TEST(KernelSelector, TriesTheGradientsOfConvolutions) {
  const std::initializer_list<std::string_view> labels{"spatial_strided", "shortcut", "pointwise_odd",
                                                       "temporal_grouped"};
  const verify::BindOptions bf16{.precision = DType::bf16}, tf32{.tf32 = true};
  expect_gradients_are_tried<ops::Conv3dDataGradient>(labels, bf16, verify::op_bf16_relative_l2);
  expect_gradients_are_tried<ops::Conv3dDataGradient>(labels, tf32, verify::op_tf32_relative_l2);
  expect_gradients_are_tried<ops::Conv3dWeightGradient>(labels, bf16, verify::op_f32_relative_l2);
  expect_gradients_are_tried<ops::Conv3dWeightGradient>(labels, tf32, verify::op_tf32_relative_l2);
}

#ifdef CUDA_ON_CPU
/// The device's failures stay while it lives.
class StayingFailures {
 public:
  StayingFailures() { cuda_on_cpu::set_failures_stay(true); }
  StayingFailures(const StayingFailures&) = delete;
  StayingFailures& operator=(const StayingFailures&) = delete;
  ~StayingFailures() { cuda_on_cpu::set_failures_stay(false); }
};

template <class Use>
void expect_broken_by(const std::string& what, const Use& use) {
  try {
    use();
    ADD_FAILURE() << "The device broken by " << what << " was not noticed.";
  } catch (const Error& e) {
    const std::string message = e.what();
    EXPECT_TRUE(message.starts_with("The CUDA device cannot be used any more after " + what + " "))
        << message;
  }
}

TEST(KernelSelector, ATrialThatBreaksTheDeviceEndsThere) {
  // Writes where no vector can be stored.
  const auto breaks = [](const ops::FusedConv3d& op, const Signature& signature) {
    class Breaking final : public Kernel {
     public:
      explicit Breaking(std::unique_ptr<Kernel> kernel) : kernel_(std::move(kernel)) {}
      [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
        return kernel_->packings();
      }
      void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
               std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
        const TensorView misaligned{outputs[0].data + 4, outputs[0].dtype, outputs[0].shape};
        kernel_->run(inputs, std::vector<TensorView>{misaligned}, packed, scratch, stream);
      }
      [[nodiscard]] std::size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
      [[nodiscard]] std::string implementation() const override { return "breaking"; }

     private:
      std::unique_ptr<Kernel> kernel_;
    };
    return std::make_unique<Breaking>(cuda::compile(op, signature));
  };
  with_signature(
      case_named("pointwise_norm_relu"), {.precision = DType::f32},
      [&](const ops::FusedConv3d& op, const Signature& signature) {
        Kernels all = candidates(op, signature);
        all.insert(all.begin(), breaks(op, signature));
        // A failure that goes away is the candidate's alone.
        const auto reports = try_candidates(plain_of(op), signature, all);
        EXPECT_NE(reports[0].reason, "");
        EXPECT_EQ(reports[1].reason, "");

        const StayingFailures stay;
        expect_broken_by("the trial of breaking",
                         [&] { (void)try_candidates(plain_of(op), signature, all); });
        // Likewise when a library is asked.
        const std::vector<Library> fails{library(
            "a library", [](const auto&, const auto&) -> Kernels { throw Error("It is out of sorts."); })};
        std::vector<CandidateReport> failures;
        expect_broken_by("asking a library for kernels",
                         [&] { (void)library_candidates(fails, op, signature, failures); });
      });
  EXPECT_FALSE(cuda_on_cpu::take_findings().empty());
}

TEST(KernelSelector, WarmsAnIdleDeviceOnce) {
  with_signature(case_named("pointwise_norm_relu"), {.precision = DType::f32},
                 [&](const ops::FusedConv3d& op, const Signature& signature) {
                   const auto kernels_of = [&](KernelSelector& selector) {
                     const std::uint64_t before = cuda_on_cpu::kernels_run();
                     (void)selector.select(op, signature);
                     return cuda_on_cpu::kernels_run() - before;
                   };
                   SelectionContext cold = context(std::make_shared<SelectionStore>());
                   SelectionContext warm = cold;
                   warm.store = std::make_shared<SelectionStore>();
                   warm.warm_seconds = 0.5;
                   KernelSelector without(std::move(cold)), with(std::move(warm));
                   EXPECT_GT(kernels_of(with), kernels_of(without) + 30);
                 });
}
#endif

TEST(SelectionIdentity, TellsLibrariesAndTheirVersionsApart) {
  DeviceInfo device = device_info(0);
  const auto identity = [&](std::vector<std::pair<std::string, std::string>> versions) {
    std::vector<Library> libraries;
    for (const auto& [name, version] : versions) {
      libraries.push_back({name, {}, [version = version] { return version; }});
    }
    return selection_identity(device, libraries);
  };
  std::vector<std::string> all{identity({}), identity({{"cuDNN", "cuDNN 9.1.0"}}),
                               identity({{"cuDNN", "cuDNN 9.2.0"}}), identity({{"cuDNN", ""}}),
                               identity({{"cuDNN", "cuDNN 9.1.0"}, {"cuBLASLt", "cuBLASLt 13.1.0"}})};
  device.name += " PCIe";
  all.push_back(identity({}));
  device.major = 8;
  all.push_back(identity({}));
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(all[i], all[j]);
  }
  EXPECT_NE(all[1].find("cuDNN 9.1.0"), std::string::npos);
}

TEST(ConvolutionKey, TellsConvolutionsApart) {
  std::vector<std::string> keys;
  const auto add = [&](const FusedCase& c, const verify::BindOptions& options) {
    with_signature(c, options, [&](const ops::FusedConv3d& op, const Signature& signature) {
      keys.push_back(convolution_key(op, signature));
    });
  };
  for (const char* label : {"pointwise_norm", "pointwise_relu", "pointwise_norm_relu", "pointwise_add",
                            "pointwise_add_one_frame", "pointwise_norm_add_relu", "spatial_norm",
                            "spatial_strided_norm", "shift_by_2", "shift_by_5", "pointwise_grouped_norm"}) {
    add(case_named(label), {});
  }
  add(case_named("pointwise_norm"), {.tf32 = true});
  add(case_named("pointwise_norm"), {.precision = DType::bf16});
  add(case_named("pointwise_norm"), {.precision = DType::f16});
  add(case_named("pointwise_norm"), {.extra_output_stride = 8});
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(keys[i], keys[j]);
  }
}

TEST(CudaBackend, SavesWhatTrialsFind) {
  std::size_t saved = 0;
  const CudaBackend backend({.libraries = CudaLibraries::none,
                             .trials = true,
                             .selections = std::make_shared<SelectionStore>(),
                             .on_compiled = [&](SelectionStore& store) { saved = store.snapshot().size(); }});
  verify::BoundCase bound(case_named("pointwise_norm"), backend, verify::BindOptions{});
  EXPECT_FALSE(bound.kernel().candidates().empty());
  backend.finish_compiling();
  EXPECT_EQ(saved, 1U);
}

}  // namespace
}  // namespace tpn::cuda
