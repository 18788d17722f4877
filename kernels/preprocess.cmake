# Preprocessing of video frames: 8-bit images in, normalised views out.
tpn_layer(preprocess SOURCES cpu/color_jitter.cpp cpu/normalize_crop.cpp cpu/resize_linear.cpp LINKS tpn_kernels)
# Resizing is defined to the last bit of its double arithmetic, which a fused multiply-add would change.
target_compile_options(tpn_preprocess PRIVATE -ffp-contract=off)
