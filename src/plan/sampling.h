// sampling: numbers drawn from distributions, the same on every machine.
//
// Neither std::gamma_distribution and its like nor the C library's log and exp say what exactly they return, so a trace
// drawn with them would differ between machines. Here everything is made of +, -, *, / and sqrt, which IEEE 754 fixes
// to the last bit; the build forbids the compiler to fuse them. The errors of log and exp are below 1e-14.
#pragma once

#include "base/random.h"

namespace kelvin::plan {

// For positive, finite x.
[[nodiscard]] double natural_log(double x);
// 0 where the result is too small for a double; x is at most 700.
[[nodiscard]] double exponential(double x);
// The logarithm of the gamma function, for positive x.
[[nodiscard]] double log_gamma(double x);

// Uniform in (0, 1), neither end included.
[[nodiscard]] double draw_uniform(Random& random);
// Mean 0, deviation 1.
[[nodiscard]] double draw_normal(Random& random);
// Both have mean 1, so that a gap between arrivals at some rate is this over the rate. The shape is positive.
[[nodiscard]] double draw_gamma(double shape, Random& random);
[[nodiscard]] double draw_weibull(double shape, Random& random);

}  // namespace kelvin::plan
