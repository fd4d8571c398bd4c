#include "core/warmth/levels.h"

#include <algorithm>
#include <cmath>

#include "core/warmth/warmth.h"

namespace kelvin::warmth {

namespace {

constexpr double kBinsPerOctave = 4;
constexpr double kRemembered = 64;
constexpr double kPriorWeight = 2;
constexpr double kWakesRemembered = 50;
constexpr double kPriorWakes = 5;

double seconds(Duration d) { return static_cast<double>(d.count()) / 1e9; }

// Where each bin begins, and where the last one ends.
constexpr std::array<double, Gaps::kBins + 1> kEdges = [] {
  constexpr double kFourthRootOfTwo = 1.189207115002721;
  std::array<double, Gaps::kBins + 1> edges{2};
  for (std::size_t i = 1; i < edges.size(); ++i) edges[i] = edges[i - 1] * kFourthRootOfTwo;
  return edges;
}();
static_assert(kIdleMin == 2s);

std::size_t bin_of(double silence_s) {
  const double bin = kBinsPerOctave * std::log2(silence_s / seconds(kIdleMin));
  return std::min(static_cast<std::size_t>(std::max(bin, 0.0)), Gaps::kBins - 1);
}

}  // namespace

void Gaps::ended(Duration silence) {
  if (silence < kIdleMin) return;
  for (float& count : counts_) count *= static_cast<float>(1 - 1 / kRemembered);
  counts_[bin_of(seconds(silence))] += 1;
  has_any_ = true;
}

std::array<double, Gaps::kBins> Gaps::chances() const {
  std::array<double, kBins> chances;
  double reached = 0;
  for (std::size_t bin = kBins; bin-- > 0;) {
    const double ended = static_cast<double>(counts_[bin]);
    reached += ended;
    const double prior = 1 - (1 + kEdges[bin]) / (1 + kEdges[bin + 1]);
    chances[bin] = (ended + kPriorWeight * prior) / (reached + kPriorWeight);
  }
  return chances;
}

Duration Gaps::edge(std::size_t bin) {
  return Duration(static_cast<std::int64_t>(kEdges[bin] * 1e9));
}

void Levels::called(std::uint32_t replicas, Span when) {
  if (last_.empty()) first_ = when.from;
  for (std::size_t level = 0; level < std::min<std::size_t>(replicas, last_.size()); ++level) {
    if (when.from - last_[level] < kIdleMin || level >= kLearnedMax) continue;
    if (gaps_.size() <= level) gaps_.resize(level + 1);
    gaps_[level].ended(when.from - last_[level]);
  }
  if (last_.size() < replicas) last_.resize(replicas);
  for (std::size_t level = 0; level < replicas; ++level)
    last_[level] = std::max(last_[level], when.to);
}

Instant Levels::last_called(std::size_t level) const {
  return level < last_.size() ? last_[level] : Instant{};
}

Duration Levels::known_for() const { return last_.empty() ? Duration{} : last_[0] - first_; }

const Gaps& Levels::gaps(std::size_t level) const {
  static const Gaps kNone;
  if (gaps_.empty()) return kNone;
  const std::size_t learned = std::min(level, kLearnedMax - 1);
  return learned < gaps_.size() ? gaps_[learned] : kNone;
}

void Waiters::waited(Duration time) { waited_s_ += seconds(time); }

void Waiters::woke(Duration time) {
  const double kept = 1 - 1 / kWakesRemembered;
  waited_s_ *= kept;
  woke_s_ = woke_s_ * kept + seconds(time);
}

std::uint32_t Waiters::milli(Duration wake) const {
  const double prior = kPriorWakes * std::max(seconds(wake), 1e-3);
  const double mean = (waited_s_ + prior) / (woke_s_ + prior);
  return static_cast<std::uint32_t>(std::clamp(mean * 1000, 200.0, 64'000.0));
}

}  // namespace kelvin::warmth
