// busy: when the replicas of one gateway loop worked.
#include "gateway/busy.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kelvin::gateway {

void BusyBook::count(Page& page, Instant at) {
  page.entry.request_time += (at - page.counted_to) * page.running;
  page.entry.low_time += (at - page.counted_to) * page.running_low;
  page.counted_to = at;
}

void BusyBook::begin(ReplicaId replica, Instant at, bool is_low) {
  Page& page = pages_[replica];
  count(page, at);
  if (is_low) ++page.running_low;
  if (page.running++ == 0) page.since = at;
  page.entry.most = std::max(page.entry.most, page.running - page.running_low);
}

void BusyBook::end(ReplicaId replica, Instant at, Ending ending) {
  const auto found = pages_.find(replica);
  KELVIN_CHECK(found != pages_.end() && found->second.running > 0);
  Page& page = found->second;
  count(page, at);
  if (ending.is_answered) ++page.entry.answered;
  if (ending.is_failed) ++page.entry.failed;
  if (ending.is_failed && !ending.is_answered) ++page.entry.unanswered;
  if (ending.is_low) --page.running_low;
  if (--page.running > 0) return;
  auto& spans = page.entry.spans;
  if (!spans.empty() && spans.back().to == page.since)
    spans.back().to = at;
  else if (page.since < at)
    spans.push_back({page.since, at});
}

model::BusyMeasured BusyBook::report(std::uint32_t loop, Instant now) {
  model::BusyMeasured measured{.loop = loop, .complete_up_to = now, .entries = {}};
  for (auto at = pages_.begin(); at != pages_.end();) {
    Page& page = at->second;
    count(page, now);
    if (page.running > 0 && page.since < now) page.entry.spans.push_back({page.since, now});
    page.entry.replica = at->first;
    const bool is_done = page.running == 0;
    measured.entries.push_back(std::exchange(page.entry, {}));
    page.since = now;
    page.entry.most = page.running - page.running_low;
    at = is_done ? pages_.erase(at) : std::next(at);
  }
  return measured;
}

}  // namespace kelvin::gateway
