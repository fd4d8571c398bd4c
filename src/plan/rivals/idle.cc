// idle: rules that start what waiting requests need, and end a replica after an idle time that is known beforehand.
//
// Neither asks whether anybody waits before the request is there. The second keeps a floor besides: with e the average
// of requests in flight over the last 120 s, older moments weighing less,
//
//   floor = ceil((e + sqrt(e)) / slots), 0 where e < 0.05
//
// looked at every second; replicas beyond it end when they have been idle for cold * (1 + lambda), at least 2 s and at
// most 1,800 s. Example: cold 10 s, lambda 5: 60 s.
#include <algorithm>
#include <cmath>
#include <string>

#include "plan/rivals.h"
#include "plan/rivals/follow.h"

namespace kelvin::plan {

namespace {

constexpr double kAverageOverS = 120;
constexpr double kAsleepBelow = 0.05;
constexpr Duration kIdleMin = 2s;
constexpr Duration kIdleMax = 1800s;

class FixedIdle : public Rule {
 public:
  explicit FixedIdle(Duration time) : time_(time) {}
  void arrived(Fleet& fleet) override { fleet.start_for_waiting(); }
  [[nodiscard]] std::optional<Duration> idle_time() const override { return time_; }

 private:
  Duration time_;
};

Duration priced_idle_time(Duration cold, double lambda) {
  const double seconds = std::min(to_seconds(cold) * (1 + lambda), to_seconds(kIdleMax));
  return std::max(kIdleMin, Duration(std::llround(seconds * 1e9)));
}

class HeadroomFloor : public Rule {
 public:
  explicit HeadroomFloor(Duration idle_time) : idle_time_(idle_time) {}

  [[nodiscard]] std::optional<Duration> tick() const override { return 1s; }
  void arrived(Fleet& fleet) override {
    average(fleet);
    fleet.start_for_waiting();
  }
  void ticked(Fleet& fleet) override {
    const double load = average(fleet);
    const double room = load < kAsleepBelow ? 0 : load + std::sqrt(load);
    const auto floor = static_cast<std::uint32_t>(std::ceil(room / fleet.slots()));
    if (fleet.live() < floor) fleet.start(floor - fleet.live());
    fleet.stop_idle(idle_time_, floor);
  }
  [[nodiscard]] bool is_at_rest(const Fleet& fleet) const override {
    return fleet.present() == 0 && fleet.live() == 0 && load_ < kAsleepBelow;
  }

 private:
  double average(const Fleet& fleet) {
    const double seconds = to_seconds(fleet.now() - seen_at_);
    if (seconds > 0) {
      const double lately = (fleet.present_s() - seen_) / seconds;
      load_ = lately + (load_ - lately) * std::exp(-seconds / kAverageOverS);
    }
    seen_at_ = fleet.now();
    seen_ = fleet.present_s();
    return load_;
  }

  Duration idle_time_;
  Duration seen_at_{};
  double seen_ = 0;
  double load_ = 0;
};

}  // namespace

Outcome fixed_idle(const Trace& trace, const Terms& terms, Duration idle_time) {
  const std::string name = "idle " + std::to_string(idle_time / 1s) + " s";
  return follow(name, trace, terms,
                [&](std::uint32_t /*app*/) { return std::make_unique<FixedIdle>(idle_time); });
}

Outcome headroom_floor(const Trace& trace, const Terms& terms, double lambda) {
  const Duration idle_time = priced_idle_time(terms.cold, lambda);
  return follow("reference", trace, terms,
                [&](std::uint32_t /*app*/) { return std::make_unique<HeadroomFloor>(idle_time); });
}

}  // namespace kelvin::plan
