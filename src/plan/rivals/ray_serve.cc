// ray_serve: the rule of Ray Serve (ray, python/ray/serve/autoscaling_policy.py and config.py).
//
// Every 0.1 s it compares ceil(average of requests / target) with its own last decision. The average is that of
// requests present (waiting ones too) over the last 30 s, told every 10 s. Only a comparison that comes out the same way
// for 30 s on end leads up, for 600 s on end leads down. Zero is reached from one only, after 600 s more; from zero the
// first request leads to one at once. Nothing is decided while all replicas are being started.
//
// Its own default target is 2 requests a replica; 70 % of the slots is kinder: with 8 slots it is 2.8 times as many.
#include <algorithm>
#include <cmath>

#include "plan/rivals.h"
#include "plan/rivals/follow.h"
#include "plan/rivals/history.h"

namespace kelvin::plan {

namespace {

constexpr Duration kTick = 100ms;
constexpr Duration kTold = 10s;
constexpr Duration kLookBack = 30s;
constexpr Duration kUpDelay = 30s;
constexpr Duration kDownDelay = 600s;
constexpr double kTarget = 0.7;  // of the slots

class RayServe : public Rule {
 public:
  RayServe(const Terms& terms, std::uint32_t replicas_min)
      : target_requests_(terms.slots * kTarget),
        min_(std::min(replicas_min, terms.replicas_max)),
        max_(terms.replicas_max),
        decided_(min_) {}

  [[nodiscard]] std::optional<Duration> tick() const override { return kTick; }
  [[nodiscard]] std::uint32_t always() const override { return min_; }
  void arrived(Fleet& fleet) override {
    // No samples were taken at rest.
    if (history_.is_older_than(kTold, fleet.now())) history_.sample(fleet.now(), fleet.present_s());
    if (decided_ == 0) decide(fleet, 1);
  }
  void ticked(Fleet& fleet) override {
    if (fleet.now() % kTold == Duration{}) {
      history_.sample(fleet.now(), fleet.present_s());
      average_ = history_.average(kLookBack);
    }
    if (fleet.ready() == 0) return;
    const auto desired =
        std::clamp(static_cast<std::uint32_t>(std::ceil(average_ / target_requests_)), min_, max_);
    if (desired > decided_) {
      in_a_row_ = std::max(in_a_row_, 0) + 1;
      if (in_a_row_ > kUpDelay / kTick) decide(fleet, desired);
    } else if (desired < decided_) {
      in_a_row_ = std::min(in_a_row_, 0) - 1;
      if (-in_a_row_ > kDownDelay / kTick)
        decide(fleet, decided_ == 1 ? desired : std::max(desired, 1U));
    } else {
      in_a_row_ = 0;
    }
  }
  [[nodiscard]] bool is_at_rest(const Fleet& fleet) const override {
    return decided_ == min_ && average_ == 0 && history_.is_unchanged(fleet.present_s());
  }

 private:
  void decide(Fleet& fleet, std::uint32_t replicas) {
    in_a_row_ = 0;
    decided_ = replicas;
    fleet.scale_to(replicas);
  }

  double target_requests_;
  std::uint32_t min_;
  std::uint32_t max_;
  std::uint32_t decided_;
  int in_a_row_ = 0;  // comparisons that came out as up, or negative as down
  double average_ = 0;
  History history_{kLookBack};
};

}  // namespace

Outcome ray_serve(const Trace& trace, const Terms& terms, std::uint32_t replicas_min) {
  return follow(
      "ray min " + std::to_string(replicas_min), trace, terms,
      [&](std::uint32_t /*app*/) { return std::make_unique<RayServe>(terms, replicas_min); });
}

}  // namespace kelvin::plan
