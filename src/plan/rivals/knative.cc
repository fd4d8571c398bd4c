// knative: the rule of Knative Serving's pod autoscaler (knative/serving, pkg/autoscaler/scaling, defaults of
// config/core/configmaps/autoscaler.yaml at 98e5ef9).
//
// Every 2 s it compares the average of requests present (waiting ones too) over a stable window of 60 s and a panic
// window of 6 s with its target, 70 % of the slots. When the panic window alone asks for twice the ready replicas, it
// panics: it then follows the larger of the two and never goes down until 60 s have passed without such a moment.
// Replicas that are being started do not count as ready, which is why slow starts become storms.
//
// A request for an app without replicas is told to it at once. Without traffic for the stable window one replica stays
// for the grace period of 30 s, then none does.
//
// Example, 8 slots (target 5.6): a load of 20 in flight for 6 s: the panic window wants ceil(20 / 5.6) = 4 replicas,
// the stable one ceil(2 / 5.6) = 1. With 1 ready, 4 >= 2 * 1: panic, 4 replicas.
#include <algorithm>
#include <cmath>

#include "plan/rivals.h"
#include "plan/rivals/follow.h"
#include "plan/rivals/history.h"

namespace kelvin::plan {

namespace {

constexpr Duration kTick = 2s;
constexpr Duration kStable = 60s;
constexpr Duration kPanic = 6s;
constexpr Duration kGrace = 30s;
constexpr double kPanicThreshold = 2;
constexpr double kTarget = 0.7;  // of the slots
constexpr double kUpRate = 1000;
constexpr double kDownRate = 2;

class Knative : public Rule {
 public:
  explicit Knative(std::uint32_t slots) : target_(slots * kTarget) {}

  [[nodiscard]] std::optional<Duration> tick() const override { return kTick; }
  void arrived(Fleet& fleet) override {
    if (fleet.live() > 0) return;
    // Metrics of an app that slept longer than the window begin anew.
    if (stable_.is_older_than(kStable, fleet.now())) stable_.forget();
    if (panic_.is_older_than(kPanic, fleet.now())) panic_.forget();
    fleet.scale_to(desired(fleet));
  }
  void ticked(Fleet& fleet) override {
    const std::uint32_t wanted = desired(fleet);
    if (wanted > 0) {
      silent_since_.reset();
      return fleet.scale_to(wanted);
    }
    if (!silent_since_) silent_since_ = fleet.now();
    const bool is_over = fleet.now() - *silent_since_ >= kGrace;
    fleet.scale_to(is_over ? 0 : std::min(fleet.live(), 1U));
  }
  [[nodiscard]] bool is_at_rest(const Fleet& fleet) const override {
    return fleet.present() == 0 && fleet.live() == 0;
  }

 private:
  std::uint32_t desired(const Fleet& fleet) {
    stable_.sample(fleet.now(), fleet.present_s());
    panic_.sample(fleet.now(), fleet.present_s());
    const double ready = std::max(fleet.ready(), 1U);
    const double least = std::floor(ready / kDownRate);
    const double most = std::ceil(ready * kUpRate);
    const double by_panic = std::ceil(panic_.average(kPanic) / target_);
    double wanted = std::clamp(std::ceil(stable_.average(kStable) / target_), least, most);
    if (by_panic / ready >= kPanicThreshold) {
      panicked_ = fleet.now();
    } else if (panicked_ && *panicked_ + kStable < fleet.now()) {
      panicked_.reset();
      most_in_panic_ = 0;
    }
    if (panicked_) {
      most_in_panic_ = std::max({most_in_panic_, wanted, std::clamp(by_panic, least, most)});
      wanted = most_in_panic_;
    }
    // The average over no time at all would not show a request that came in this moment.
    if (fleet.present() > 0) wanted = std::max(wanted, 1.0);
    return static_cast<std::uint32_t>(wanted);
  }

  double target_;
  History stable_{kStable};
  History panic_{kPanic};
  std::optional<Duration> panicked_;  // the last moment that gave reason to
  double most_in_panic_ = 0;
  std::optional<Duration> silent_since_;
};

}  // namespace

Outcome knative(const Trace& trace, const Terms& terms) {
  return follow("knative", trace, terms,
                [&](std::uint32_t /*app*/) { return std::make_unique<Knative>(terms.slots); });
}

}  // namespace kelvin::plan
