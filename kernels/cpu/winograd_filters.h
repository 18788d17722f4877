// Convolutions in one dimension with fewer products than outputs times taps (Winograd, after Toom and Cook):
// y = A ((G g) * (B d)), element by element in the middle, of a span of inputs d and the taps g. A
// convolution over two dimensions applies one filter in each.
#pragma once

namespace tpn::cpu {

/// One tap: no convolution, but perhaps a stride.
template <int Stride>
struct OneTap {
  static constexpr int taps = 1, stride = Stride, span = 1, points = 1, outputs = 1;
  static constexpr float b[points][span] = {{1}};
  static constexpr float g[points][taps] = {{1}};
  static constexpr float a[outputs][points] = {{1}};
};

/// F(2,3): 4 products for 2 outputs of 3 taps, from the points 0, 1, -1 and infinity.
struct TwoOutputs {
  static constexpr int taps = 3, stride = 1, span = 4, points = 4, outputs = 2;
  static constexpr float b[points][span] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
  static constexpr float g[points][taps] = {{1, 0, 0}, {0.5F, 0.5F, 0.5F}, {0.5F, -0.5F, 0.5F}, {0, 0, 1}};
  static constexpr float a[outputs][points] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
};

/// F(4,3): 6 products for 4 outputs of 3 taps, from the points 0, 1, -1, 2, -2 and infinity.
struct FourOutputs {
  static constexpr int taps = 3, stride = 1, span = 6, points = 6, outputs = 4;
  static constexpr float b[points][span] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
                                            {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
  static constexpr float g[points][taps] = {{1.0F / 4, 0, 0},
                                            {-1.0F / 6, -1.0F / 6, -1.0F / 6},
                                            {-1.0F / 6, 1.0F / 6, -1.0F / 6},
                                            {1.0F / 24, 1.0F / 12, 1.0F / 6},
                                            {1.0F / 24, -1.0F / 12, 1.0F / 6},
                                            {0, 0, 1}};
  static constexpr float a[outputs][points] = {
      {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}};
};

/// 3 taps at every second place: 5 products for 2 outputs. Taps 0 and 2 see inputs 0, 2 and 4, as F(2,2) from
/// the points 0, -1 and infinity; tap 1 sees inputs 1 and 3.
struct EverySecond {
  static constexpr int taps = 3, stride = 2, span = 5, points = 5, outputs = 2;
  static constexpr float b[points][span] = {
      {1, 0, -1, 0, 0}, {0, 0, 1, 0, 0}, {0, 0, 1, 0, -1}, {0, 1, 0, 0, 0}, {0, 0, 0, 1, 0}};
  static constexpr float g[points][taps] = {{1, 0, 0}, {1, 0, 1}, {0, 0, 1}, {0, 1, 0}, {0, 1, 0}};
  static constexpr float a[outputs][points] = {{1, 1, 0, 1, 0}, {0, 1, -1, 0, 1}};
};

}  // namespace tpn::cpu
