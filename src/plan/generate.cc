#include "plan/generate.h"

#include <algorithm>

#include "base/check.h"
#include "plan/sampling.h"

namespace kelvin::plan {

void LengthTable::add(double value, double often) {
  KELVIN_CHECK(often >= 0);
  if (often == 0) return;
  values_.push_back(value);
  cumulative_.push_back(sum() + often);
}

double LengthTable::draw(Random& random) const {
  KELVIN_CHECK(!values_.empty());
  const double mark = draw_uniform(random) * cumulative_.back();
  const auto found = std::ranges::upper_bound(cumulative_, mark);
  // Rounding can put the mark at the very end.
  const auto index = std::min<std::ptrdiff_t>(found - cumulative_.begin(),
                                              static_cast<std::ptrdiff_t>(values_.size()) - 1);
  return values_[static_cast<std::size_t>(index)];
}

const Lengths* lengths_at(const ClientModel& client, Duration at) {
  const auto after = std::ranges::upper_bound(client.lengths, at, {}, &Lengths::from);
  return after == client.lengths.begin() ? nullptr : &*std::prev(after);
}

void generate(const ClientModel& client, std::uint64_t seed,
              const std::function<bool(const Drawn&)>& take) {
  // Two rounds of mixing, so that neighbouring seeds and clients share nothing.
  Random random{Random{seed}.next() ^ client.number};
  random.state = random.next();
  for (const Window& window : client.windows) {
    if (window.rate <= 0) continue;
    const Lengths* lengths = lengths_at(client, window.from);
    KELVIN_CHECK(lengths != nullptr);
    const double end = static_cast<double>((window.to - window.from).count()) / 1e9;
    double at = 0;
    for (;;) {
      const double gap = window.family == Family::Gamma ? draw_gamma(window.shape, random)
                                                        : draw_weibull(window.shape, random);
      at += gap / window.rate;
      if (!(at < end)) break;
      const Duration moment = window.from + Duration(static_cast<std::int64_t>(at * 1e9));
      const double context = lengths->context.draw(random);
      const double generated = lengths->generated.draw(random);
      if (!take({.at = moment, .context = context, .generated = generated})) return;
    }
  }
}

}  // namespace kelvin::plan
