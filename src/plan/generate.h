// generate: requests drawn from a client's workload model, by a seed.
//
// A model says for each window of time how many requests a second come and how irregularly: gaps between them follow a
// Gamma or a Weibull distribution of a given shape, scaled to a mean of 1 / rate. Every window begins anew, with a gap
// from its first moment to its first request. Lengths come from the latest table that had started when it began.
//
// Example: rate 0.5 and Gamma of shape 1 are Poisson arrivals, two seconds apart on average; shape 0.1 has the same
// rate in bursts.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace kelvin::plan {

enum class Family : std::uint8_t { Gamma, Weibull };

struct Window {
  Duration from{};
  Duration to{};
  double rate = 0;  // requests a second; 0: none come
  Family family = Family::Gamma;
  double shape = 1;
};

// A value and how often it comes. Draws take time logarithmic in its size.
class LengthTable {
 public:
  // `often` is not negative, on any scale; a value with 0 is never drawn.
  void add(double value, double often);
  [[nodiscard]] bool is_empty() const { return values_.empty(); }
  [[nodiscard]] double sum() const { return cumulative_.empty() ? 0 : cumulative_.back(); }
  [[nodiscard]] double draw(Random& random) const;  // the table is not empty

 private:
  std::vector<double> values_;
  std::vector<double> cumulative_;
};

struct Lengths {
  Duration from{};
  LengthTable context;
  LengthTable generated;
};

// Windows in order and apart from each other; lengths in order. When a window with a rate begins, lengths have started,
// and neither table of them is empty.
struct ClientModel {
  std::uint32_t number = 0;
  std::vector<Window> windows;
  std::vector<Lengths> lengths;
};

struct Drawn {
  Duration at{};
  double context = 0;  // tokens
  double generated = 0;
};

// Gives the client's requests to `take`, in order, until it returns false. Each client draws from a stream of its own,
// so that one's requests do not depend on which others are asked for.
void generate(const ClientModel& client, std::uint64_t seed,
              const std::function<bool(const Drawn&)>& take);

// The lengths that hold at this moment; nullptr before the first.
[[nodiscard]] const Lengths* lengths_at(const ClientModel& client, Duration at);

}  // namespace kelvin::plan
