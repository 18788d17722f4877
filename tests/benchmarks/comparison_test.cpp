// Whether slowdowns are told from noise, on made-up timings: nothing here is timed.
#include "benchmarks/suite/comparison.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "benchmarks/suite/results_page.h"
#include "kernels/error.h"

namespace tpn::benchmarks {
namespace {

/// A machine that others use too: every timing scatters by 2 %, whole rounds by as much again, and one timing
/// in eight is caught by other work and takes up to twice as long.
class NoisyMachine {
 public:
  explicit NoisyMachine(unsigned seed) : random_(seed) {}

  /// How much the machine as a whole is slowed down for a round.
  double next_drift() { return 1 + 0.02 * std::abs(normal_(random_)); }

  std::vector<double> round(double seconds, double drift, int timings = 5) {
    std::vector<double> values;
    for (int i = 0; i < timings; ++i) {
      const double disturbed = uniform_(random_) < 0.125 ? 1 + uniform_(random_) : 1;
      values.push_back(seconds * drift * disturbed * (1 + 0.02 * std::abs(normal_(random_))));
    }
    return values;
  }

  Rounds rounds(double seconds, int count) {
    Rounds all;
    for (int i = 0; i < count; ++i) all.push_back(round(seconds, next_drift()));
    return all;
  }

 private:
  std::mt19937 random_;
  std::normal_distribution<double> normal_;
  std::uniform_real_distribution<double> uniform_;
};

Series series(Rounds rounds, const std::string& benchmark = "inference") {
  Series s;
  s.benchmark = benchmark;
  s.rounds = std::move(rounds);
  return s;
}

/// How many of 200 pairs of series on the noisy machine are told to have changed so.
int count_changes(Change change, double slowdown, int rounds, bool paired) {
  ComparisonOptions options{.paired = paired, .resamples = 400};
  NoisyMachine machine(7);
  int count = 0;
  for (int i = 0; i < 200; ++i) {
    Rounds before, now;
    for (int round = 0; round < rounds; ++round) {
      // In turns, both fall into the same minutes, which may be twice as slow.
      const double minutes =
          paired ? (round % 3 == 0 ? 2.0 : 1.0) * machine.next_drift() : machine.next_drift();
      before.push_back(machine.round(0.3, minutes));
      now.push_back(machine.round(0.3 * slowdown, paired ? minutes : machine.next_drift()));
    }
    count += compare(series(before), series(now), options).change == change ? 1 : 0;
  }
  return count;
}

TEST(Comparison, IsQuietOnTheSameProgram) {
  EXPECT_EQ(count_changes(Change::none, 1, 3, false), 200);
  EXPECT_EQ(count_changes(Change::none, 1, 7, true), 200);
}

TEST(Comparison, TellsATenPercentSlowdown) {
  EXPECT_GE(count_changes(Change::slower, 1.1, 7, true), 190);
  EXPECT_GE(count_changes(Change::slower, 1.2, 5, false), 190);
  EXPECT_GE(count_changes(Change::faster, 1 / 1.2, 7, true), 190);
}

TEST(Comparison, DoesNotMindWhatIsBelowTheThreshold) {
  EXPECT_EQ(count_changes(Change::slower, 1.03, 7, true), 0);
}

TEST(Comparison, FindsTheRatioAndItsInterval) {
  const Ratio exact = ratio_of({{2, 2}, {2, 2}}, {{3, 3}, {3, 3}}, {});
  EXPECT_EQ(exact.ratio, 1.5);
  EXPECT_EQ(exact.low, 1.5);
  EXPECT_EQ(exact.high, 1.5);
  const Ratio wide = ratio_of({{1}, {2}, {3}}, {{2}, {4}, {6}}, {});
  EXPECT_EQ(wide.ratio, 2);
  EXPECT_LT(wide.low, 1);
  EXPECT_GT(wide.high, 4);
  // The rounds differ threefold, their ratios do not.
  const Ratio paired = ratio_of({{1}, {2}, {3}}, {{2}, {4}, {6}}, {.paired = true});
  EXPECT_EQ(paired.low, 2);
  EXPECT_EQ(paired.high, 2);
  // Timings of a round agree, rounds do not: the interval is of rounds.
  const Ratio unsure = ratio_of({{1, 1}, {1, 1}, {1, 1}}, {{1, 1}, {2, 2}, {3, 3}}, {.paired = true});
  EXPECT_EQ(unsure.ratio, 2);
  EXPECT_EQ(unsure.low, 1);
  EXPECT_EQ(unsure.high, 3);
}

TEST(Comparison, HoldsItsConfidence) {
  // How often 95 % intervals leave out the true ratio, 1: the bootstrap of few rounds is known to be a little
  // short.
  NoisyMachine machine(3);
  int missed = 0;
  for (int i = 0; i < 300; ++i) {
    const Ratio ratio = ratio_of(machine.rounds(1, 7), machine.rounds(1, 7), {.resamples = 300});
    missed += ratio.low > 1 || ratio.high < 1 ? 1 : 0;
  }
  EXPECT_LE(missed, 30);
}

TEST(Comparison, DoesNotJudgeFewTimings) {
  const Rounds before{{1, 1, 1}, {1, 1, 1}}, now{{2, 2, 2}, {2, 2, 2}};
  EXPECT_EQ(compare(series(before), series(now), {}).change, Change::unknown);
  EXPECT_EQ(compare(series({{1}, {1}, {1}}), series({{2}, {2}, {2}}), {}).change, Change::unknown);
}

TEST(Comparison, NeedsTheBestTimingsToBeSlowerToo) {
  // Most of the later run was disturbed, yet the program can still do what it could.
  const Rounds before{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}, now{{1, 2, 2}, {1, 2, 2}, {1, 2, 2}};
  const SeriesComparison c = compare(series(before), series(now), {.paired = true, .confidence = 0});
  EXPECT_GT(c.ratio.low, 1.5);
  EXPECT_EQ(c.change, Change::none);
}

TEST(Comparison, OfSuitesSortsSlowedFirstAndLeavesOutYardsticks) {
  const Rounds fast{{1, 1}, {1, 1}, {1, 1}}, slow{{2, 2}, {2, 2}, {2, 2}}, odd{{9, 1}, {9, 1}, {9, 1}};
  SuiteResults before, now;
  before.machine = {{"processor", "one"}, {"version", "1"}};
  now.machine = {{"processor", "another"}, {"version", "2"}};
  before.series = {series(fast, "a"), series(fast, "b"), series(fast, "gone"), series(fast, "cp"),
                   series(fast, "d")};
  now.series = {series(fast, "a"), series(slow, "b"), series(fast, "new"), series(slow, "cp"),
                series(odd, "d")};
  before.series[3].yardstick = now.series[3].yardstick = true;
  const SuiteComparison c = compare(before, now, {});
  ASSERT_EQ(c.series.size(), 3U);
  EXPECT_EQ(c.series[0].name, "b");
  EXPECT_EQ(c.series[0].change, Change::slower);
  EXPECT_TRUE(c.slower());
  EXPECT_EQ(c.only_before, std::vector<std::string>{"gone"});
  EXPECT_EQ(c.only_now, std::vector<std::string>{"new"});
  ASSERT_EQ(c.differences.size(), 1U);
  EXPECT_EQ(c.differences[0], "The processor was 'one' and is 'another'.");
  EXPECT_NE(to_text(c).find("1 of 3 became slower and 0 faster"), std::string::npos) << to_text(c);
  EXPECT_FALSE(compare(now, now, {}).slower());
}

TEST(Comparison, OfNothingIsAnError) {
  EXPECT_THROW(ratio_of({}, {{1}}, {}), Error);
  EXPECT_THROW(ratio_of({{1}}, {{}}, {}), Error);
}

TEST(StraightLine, IsFoundAndItsDeviationTold) {
  const StraightLine exact = line_through({1, 2, 4}, {5, 7, 11});
  EXPECT_DOUBLE_EQ(exact.start, 3);
  EXPECT_DOUBLE_EQ(exact.slope, 2);
  EXPECT_NEAR(exact.largest_deviation, 0, 1e-15);
  EXPECT_GT(line_through({1, 2, 3}, {1, 4, 9}).largest_deviation, 0.05);
  EXPECT_THROW(line_through({2, 2}, {1, 3}), Error);
}

}  // namespace
}  // namespace tpn::benchmarks
