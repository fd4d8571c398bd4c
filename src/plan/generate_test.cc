#include "plan/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace kelvin::plan {
namespace {

ClientModel steady(double rate, Family family, double shape) {
  ClientModel client{.number = 3};
  for (int i = 0; i < 100; ++i)
    client.windows.push_back(
        {.from = i * 600s, .to = (i + 1) * 600s, .rate = rate, .family = family, .shape = shape});
  client.lengths.resize(2);
  client.lengths[0].context.add(100, 1);
  client.lengths[0].generated.add(10, 1);
  client.lengths[1].from = 30'000s;
  client.lengths[1].context.add(200, 0.25);
  client.lengths[1].context.add(300, 0.75);
  client.lengths[1].generated.add(20, 1);
  return client;
}

std::vector<Drawn> drawn_by(const ClientModel& client, std::uint64_t seed) {
  std::vector<Drawn> all;
  generate(client, seed, [&all](const Drawn& drawn) {
    all.push_back(drawn);
    return true;
  });
  return all;
}

TEST(Generate, KeepsRateAndIrregularity) {
  for (const Family family : {Family::Gamma, Family::Weibull}) {
    const std::vector<Drawn> all = drawn_by(steady(2, family, 1), 1);
    // Shape 1 is Poisson in both: 120,000 of them, give or take four deviations.
    EXPECT_NEAR(static_cast<double>(all.size()), 120'000, 4 * std::sqrt(120'000.0));
    EXPECT_TRUE(std::ranges::is_sorted(all, {}, &Drawn::at));
  }
}

TEST(Generate, TakesLengthsFromTheTableThatHasStarted) {
  std::size_t many = 0;
  std::size_t late = 0;
  for (const Drawn& drawn : drawn_by(steady(2, Family::Gamma, 1), 1)) {
    if (drawn.at < 30'000s) {
      EXPECT_EQ(drawn.context, 100);
      EXPECT_EQ(drawn.generated, 10);
      continue;
    }
    EXPECT_EQ(drawn.generated, 20);
    ++late;
    many += drawn.context == 300 ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(many) / static_cast<double>(late), 0.75, 0.01);
}

TEST(Generate, IsFixedBySeedAndClient) {
  ClientModel client = steady(0.1, Family::Gamma, 0.3);
  const auto moments = [&client](std::uint64_t seed) {
    std::vector<Duration> all;
    for (const Drawn& drawn : drawn_by(client, seed)) all.push_back(drawn.at);
    return all;
  };
  const std::vector<Duration> first = moments(1);
  EXPECT_EQ(moments(1), first);
  EXPECT_NE(moments(2), first);
  client.number = 4;
  EXPECT_NE(moments(1), first);
}

TEST(Generate, StopsWhenNoMoreIsTaken) {
  int taken = 0;
  generate(steady(2, Family::Gamma, 1), 1, [&taken](const Drawn&) { return ++taken < 5; });
  EXPECT_EQ(taken, 5);
}

TEST(LengthTable, NeverDrawsWhatIsNotThere) {
  LengthTable table;
  EXPECT_TRUE(table.is_empty());
  table.add(1, 0);
  EXPECT_TRUE(table.is_empty());
  table.add(2, 3);
  table.add(4, 0);
  Random random{1};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(table.draw(random), 2);
}

}  // namespace
}  // namespace kelvin::plan
