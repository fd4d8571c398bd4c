// queue_delay: RunPod's rule with its defaults: one more replica while a request has waited for more than 4 s, the first
// at once; a replica ends after 5 s without work.
//
// Looked at every 2 s. Whether replicas that are being started are taken into account is not published. Here no
// further one is started while their slots suffice for all who wait: read the other way the rule starts one every 2 s
// of a slow start, which costs three times as much. Its default of at most 3 replicas is not applied.
#include "plan/rivals.h"
#include "plan/rivals/follow.h"

namespace kelvin::plan {

namespace {

constexpr Duration kTick = 2s;
constexpr Duration kWaitMax = 4s;
constexpr Duration kIdle = 5s;

class QueueDelay : public Rule {
 public:
  [[nodiscard]] std::optional<Duration> tick() const override { return kTick; }
  [[nodiscard]] std::optional<Duration> idle_time() const override { return kIdle; }
  void arrived(Fleet& fleet) override {
    if (fleet.live() == 0) fleet.start(1);
  }
  void ticked(Fleet& fleet) override {
    if (fleet.oldest_wait() > kWaitMax && fleet.waiting() > fleet.starting() * fleet.slots())
      fleet.start(1);
  }
  [[nodiscard]] bool is_at_rest(const Fleet& fleet) const override { return fleet.waiting() == 0; }
};

}  // namespace

Outcome queue_delay(const Trace& trace, const Terms& terms) {
  return follow("queue delay", trace, terms,
                [](std::uint32_t /*app*/) { return std::make_unique<QueueDelay>(); });
}

}  // namespace kelvin::plan
