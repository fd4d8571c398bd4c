#include "plan/sampling.h"

#include <cmath>

namespace kelvin::plan {

namespace {

// ln 2 in two parts: the first has few enough bits that a multiple of it by an exponent is exact.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;
constexpr double kHalfLogTwoPi = 0x1.d67f1c864beb5p-1;

}  // namespace

double natural_log(double x) {
  int exponent = 0;
  double part = std::frexp(x, &exponent);  // exact
  if (part < kSqrtHalf) {
    part *= 2;
    --exponent;
  }
  // log((1 + s) / (1 - s)) = 2 (s + s^3/3 + s^5/5 + ...), with |s| below 0.172.
  const double s = (part - 1) / (part + 1);
  const double square = s * s;
  double sum = 0;
  for (int odd = 25; odd >= 1; odd -= 2) sum = sum * square + 1.0 / odd;
  return exponent * kLn2High + (exponent * kLn2Low + 2 * s * sum);
}

double exponential(double x) {
  constexpr double kLeast = -740;  // just above the smallest double's logarithm
  if (x < kLeast) return 0;
  const double twos = std::floor(x / (kLn2High + kLn2Low) + 0.5);
  const double rest = (x - twos * kLn2High) - twos * kLn2Low;  // within 0.35 of 0
  double sum = 1;
  for (int n = 15; n >= 1; --n) sum = 1 + rest / n * sum;
  return std::ldexp(sum, static_cast<int>(twos));  // exact, but for subnormal results
}

double log_gamma(double x) {
  // Stirling's series wants a large x; gamma(x + 1) = x gamma(x) leads there.
  constexpr double kLarge = 12;
  double product = 1;
  while (x < kLarge) {
    product *= x;
    x += 1;
  }
  const double square = x * x;
  const double series =
      (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - 1.0 / 1680 / square) / square) / square) / x;
  return (x - 0.5) * natural_log(x) - x + kHalfLogTwoPi + series - natural_log(product);
}

double draw_uniform(Random& random) {
  // 53 bits, and half a step so that 0 never comes.
  return (static_cast<double>(random.next() >> 11) + 0.5) * 0x1p-53;
}

double draw_normal(Random& random) {
  // The polar method (Marsaglia and Bray, "A convenient method for generating normal variables", 1964). It makes two;
  // keeping the second would be a state to carry.
  for (;;) {
    const double x = 2 * draw_uniform(random) - 1;
    const double y = 2 * draw_uniform(random) - 1;
    const double radius = x * x + y * y;
    if (radius >= 1 || radius == 0) continue;
    return x * std::sqrt(-2 * natural_log(radius) / radius);
  }
}

double draw_gamma(double shape, Random& random) {
  // Marsaglia and Tsang, "A simple method for generating gamma variables" (2000); below 1 the shape is raised by one
  // and the result scaled by u^(1 / shape).
  if (shape < 1) {
    const double larger = draw_gamma(shape + 1, random) * (shape + 1);
    return larger * exponential(natural_log(draw_uniform(random)) / shape) / shape;
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double normal = draw_normal(random);
    const double root = 1 + c * normal;
    if (root <= 0) continue;
    const double cube = root * root * root;
    const double limit = 0.5 * normal * normal + d - d * cube + d * natural_log(cube);
    if (natural_log(draw_uniform(random)) < limit) return d * cube / shape;
  }
}

double draw_weibull(double shape, Random& random) {
  const double exponent = 1 / shape;
  const double log_draw = exponent * natural_log(-natural_log(draw_uniform(random)));
  return exponential(log_draw - log_gamma(1 + exponent));
}

}  // namespace kelvin::plan
