#include "plan/sampling.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kelvin::plan {
namespace {

TEST(Sampling, LogarithmsAndPowersAgreeWithTheMathsLibrary) {
  for (double x = 1e-300; x < 1e300; x *= 1.37)
    EXPECT_NEAR(natural_log(x), std::log(x), 1e-13 * (1 + std::abs(std::log(x)))) << x;
  for (double x = -700; x < 700; x += 0.37)
    EXPECT_NEAR(exponential(x) / std::exp(x), 1, 1e-13) << x;
  EXPECT_EQ(exponential(-1e9), 0);
  EXPECT_EQ(exponential(0), 1);
  EXPECT_EQ(natural_log(1), 0);
  for (double x = 0.001; x < 150; x *= 1.1)
    EXPECT_NEAR(log_gamma(x), std::lgamma(x), 1e-12 * (1 + std::abs(std::lgamma(x)))) << x;
}

// Mean 1, and the variance that the distribution has by theory.
template <class Draw>
void expect_moments(double variance, const Draw& draw) {
  Random random{7};
  constexpr int kDraws = 200'000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = draw(random);
    ASSERT_GE(value, 0);
    sum += value;
    squares += value * value;
  }
  const double mean = sum / kDraws;
  EXPECT_NEAR(mean, 1, 5 * std::sqrt(variance / kDraws));
  EXPECT_NEAR(squares / kDraws - mean * mean, variance, 0.1 * variance);
}

TEST(Sampling, GammaHasItsMeanAndVariance) {
  for (const double shape : {0.1, 0.5, 0.999, 1.0, 2.5, 20.0}) {
    SCOPED_TRACE(shape);
    expect_moments(1 / shape, [shape](Random& random) { return draw_gamma(shape, random); });
  }
}

TEST(Sampling, WeibullHasItsMeanAndVariance) {
  for (const double shape : {0.5, 0.8, 1.0, 1.4, 5.0}) {
    SCOPED_TRACE(shape);
    const double first = std::tgamma(1 + 1 / shape);
    const double variance = std::tgamma(1 + 2 / shape) / (first * first) - 1;
    expect_moments(variance, [shape](Random& random) { return draw_weibull(shape, random); });
  }
}

TEST(Sampling, IsTheSameOnEveryMachine) {
  Random random{1};
  EXPECT_EQ(draw_uniform(random), 0x1.22145bd91204cp-1);
  EXPECT_EQ(draw_normal(random), -0x1.ebc70a51bcf04p+0);
  EXPECT_EQ(draw_gamma(0.3, random), 0x1.162c44ffef2d3p-4);
  EXPECT_EQ(draw_gamma(3, random), 0x1.d1155527ba6f8p+0);
  EXPECT_EQ(draw_weibull(0.7, random), 0x1.1f944dc402c82p-1);
  EXPECT_EQ(random.state, 635340061525167378U);
}

}  // namespace
}  // namespace kelvin::plan
