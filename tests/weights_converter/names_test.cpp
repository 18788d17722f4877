#include "weights_converter/names.h"

#include <gtest/gtest.h>

namespace tpn {
namespace {

TEST(Names, UnderDecisionforce) {
  const auto name = [](std::string_view mmaction2) {
    return name_under(NamingScheme::decisionforce, mmaction2);
  };
  EXPECT_EQ(name("backbone.conv1.conv.weight"), "backbone.conv1.weight");
  EXPECT_EQ(name("backbone.conv1.bn.running_mean"), "backbone.bn1.running_mean");
  EXPECT_EQ(name("backbone.layer3.10.conv2.conv.weight"), "backbone.layer3.10.conv2.weight");
  EXPECT_EQ(name("backbone.layer1.0.conv1.conv.net.weight"), "backbone.layer1.0.conv1.weight");
  EXPECT_EQ(name("backbone.layer4.2.conv3.bn.bias"), "backbone.layer4.2.bn3.bias");
  EXPECT_EQ(name("backbone.layer1.0.downsample.conv.weight"), "backbone.layer1.0.downsample.0.weight");
  EXPECT_EQ(name("backbone.layer1.0.downsample.bn.weight"), "backbone.layer1.0.downsample.1.weight");
  EXPECT_EQ(name("neck.temporal_modulation_ops.1.conv.conv.weight"),
            "necks.temporal_modulation_ops.1.conv.weight");
  EXPECT_EQ(name("neck.downsample_ops.0.conv.conv.weight"), "necks.downsampling_ops.0.conv.weight");
  // The top-down flow is joined by level_fusion_op2, the bottom-up flow by level_fusion_op.
  EXPECT_EQ(name("neck.level_fusion_1.downsamples.0.conv.conv.weight"),
            "necks.level_fusion_op2.ops.0.conv.weight");
  EXPECT_EQ(name("neck.level_fusion_2.downsamples.1.conv.bn.bias"), "necks.level_fusion_op.ops.1.norm.bias");
  EXPECT_EQ(name("neck.level_fusion_1.fusion_conv.conv.weight"),
            "necks.level_fusion_op2.fusion_conv.0.weight");
  EXPECT_EQ(name("neck.level_fusion_2.fusion_conv.bn.weight"), "necks.level_fusion_op.fusion_conv.1.weight");
  EXPECT_EQ(name("neck.spatial_modulation.spatial_modulation.0.1.conv.weight"),
            "necks.spatial_modulation.spatial_modulation.0.1.conv.weight");
  EXPECT_EQ(name("neck.pyramid_fusion.conv.weight"), "necks.pyramid_fusion_op.0.weight");
  EXPECT_EQ(name("neck.pyramid_fusion.bn.bias"), "necks.pyramid_fusion_op.1.bias");
  EXPECT_EQ(name("neck.aux_head.conv.conv.weight"), "necks.aux_head.convs.conv.weight");
  EXPECT_EQ(name("neck.aux_head.fc.bias"), "necks.aux_head.fc.bias");
  EXPECT_EQ(name("cls_head.fc_cls.weight"), "cls_head.fc_cls.weight");
}

TEST(Names, OfBackbonesAlone) {
  EXPECT_EQ(name_under(NamingScheme::torchvision, "backbone.layer1.0.conv1.bn.weight"),
            "layer1.0.bn1.weight");
  EXPECT_EQ(name_under(NamingScheme::backbone_only, "backbone.layer1.0.conv1.bn.weight"),
            "layer1.0.conv1.bn.weight");
  EXPECT_EQ(name_under(NamingScheme::torchvision, "cls_head.fc_cls.weight"), "");
  EXPECT_EQ(name_under(NamingScheme::backbone_only, "neck.pyramid_fusion.conv.weight"), "");
}

TEST(Names, SchemesAreToldApart) {
  EXPECT_EQ(detect_scheme({"backbone.conv1.conv.weight", "neck.pyramid_fusion.conv.weight"}),
            NamingScheme::mmaction2);
  EXPECT_EQ(detect_scheme({"backbone.conv1.weight", "cls_head.fc_cls.weight"}), NamingScheme::decisionforce);
  EXPECT_EQ(detect_scheme({"necks.pyramid_fusion_op.0.weight"}), NamingScheme::decisionforce);
  EXPECT_EQ(detect_scheme({"conv1.conv.weight", "layer1.0.conv1.conv.weight"}), NamingScheme::backbone_only);
  EXPECT_EQ(detect_scheme({"conv1.weight", "layer1.0.conv1.weight", "fc.weight"}), NamingScheme::torchvision);
  EXPECT_EQ(detect_scheme({"weight"}), NamingScheme::mmaction2);
}

TEST(Names, WrappersAreTakenOff) {
  const auto unwrap = [](std::string_view name) {
    const UnwrappedName result = without_wrappers(name);
    return result.name + " | " + result.removed;
  };
  EXPECT_EQ(unwrap("backbone.conv1.conv.weight"), "backbone.conv1.conv.weight | ");
  EXPECT_EQ(unwrap("module.backbone.a"), "backbone.a | module.");
  EXPECT_EQ(unwrap("_orig_mod.backbone.a"), "backbone.a | _orig_mod.");
  EXPECT_EQ(unwrap("model.module.module._orig_mod.neck.a"), "neck.a | model.module.module._orig_mod.");
  EXPECT_EQ(unwrap("backbone._orig_mod.layer1.0._checkpoint_wrapped_module.bn.a"),
            "backbone.layer1.0.bn.a | _orig_mod._checkpoint_wrapped_module.");
  EXPECT_EQ(unwrap("_fsdp_wrapped_module.cls_head._fsdp_wrapped_module.fc_cls.bias"),
            "cls_head.fc_cls.bias | _fsdp_wrapped_module._fsdp_wrapped_module.");
  EXPECT_EQ(unwrap("net.backbone.layer1.0.conv1.conv.net.weight"),
            "backbone.layer1.0.conv1.conv.net.weight | net.")
      << "TSM's own net stays";
  EXPECT_EQ(unwrap("criterion.model.weight"), "criterion.model.weight | ");
  EXPECT_EQ(unwrap("module"), "module | ");
  EXPECT_EQ(unwrap(""), " | ");
}

TEST(Names, APrefixMustBeCommon) {
  EXPECT_EQ(common_prefix({"student.backbone.a", "student.neck.b"}), "student.");
  EXPECT_EQ(common_prefix({"student.a", "b"}), "");
  EXPECT_EQ(common_prefix({"backbone.a", "backbone.b"}), "") << "a network's own";
  EXPECT_EQ(common_prefix({"weight"}), "");
  EXPECT_EQ(common_prefix({}), "");
}

}  // namespace
}  // namespace tpn
