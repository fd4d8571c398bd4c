// app_series: what is counted per app and way of calling it.
#include "gateway/app_series.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "gateway/request_facts.h"

namespace kelvin::gateway {

static_assert(kSeriesRoutes == kRouteLabels);

namespace {

constexpr std::array<std::int64_t, kTimeBounds.size()> bounds_ns() {
  std::array<std::int64_t, kTimeBounds.size()> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i)
    bounds[i] = static_cast<std::int64_t>(kTimeBounds[i] * 1e9 + 0.5);
  return bounds;
}
constexpr auto kBoundsNs = bounds_ns();

std::uint64_t value_of(const Metrics::Counter& counter) {
  return counter.load(std::memory_order_relaxed);
}

std::optional<ErrorSource> source_of(const RequestFacts& facts) {
  switch (facts.ending) {
    case Ending::Replied:
      return facts.status >= 500 ? std::optional(ErrorSource::App) : std::nullopt;
    case Ending::Answered:
      return facts.status >= 500 ? std::optional(ErrorSource::Gateway) : std::nullopt;
    case Ending::Broken:
      return ErrorSource::Broken;
    case Ending::ClientLeft:
      return ErrorSource::Client;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_text(ErrorSource source) {
  switch (source) {
    case ErrorSource::App:
      return "app";
    case ErrorSource::Broken:
      return "broken";
    case ErrorSource::Gateway:
      return "gateway";
    case ErrorSource::Client:
      return "client";
  }
  return "gateway";
}

std::uint64_t TimesSnapshot::count() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t one : counts) sum += one;
  return sum;
}

void Times::note(Duration time) {
  const std::int64_t ns = std::max<std::int64_t>(time.count(), 0);
  const auto bucket = std::lower_bound(kBoundsNs.begin(), kBoundsNs.end(), ns);
  Metrics::add(counts[static_cast<std::size_t>(bucket - kBoundsNs.begin())]);
  Metrics::add(sum_ns, static_cast<std::uint64_t>(ns));
}

void Times::add_to(TimesSnapshot& sum) const {
  for (std::size_t i = 0; i < counts.size(); ++i) sum.counts[i] += value_of(counts[i]);
  sum.sum_ns += value_of(sum_ns);
}

void AppSeries::note(std::uint32_t loop, const RequestFacts& facts) {
  LoopCounts& counts = loops_[loop].ensure();
  RouteCounts& route = counts.routes[static_cast<std::size_t>(facts.route)].ensure();
  Metrics::add(route.by_class[status_class(facts.status)]);
  if (const auto source = source_of(facts))
    Metrics::add(route.errors[static_cast<std::size_t>(*source)]);
  route.duration.note(facts.ended - facts.arrived);
  if (facts.app == nullptr) return;
  // Refused without ever having waited: that says nothing about the queue.
  const Duration queued = queue_time(facts);
  if (facts.dispatched != Instant{} || facts.ending == Ending::ClientLeft ||
      queued > Duration::zero())
    counts.queue_wait.note(queued);
  if (facts.first_byte_read != Instant{}) {
    if (facts.woke_from == model::Temperature::Cold) counts.from_cold.note(first_byte_time(facts));
    if (facts.woke_from == model::Temperature::Parked)
      counts.from_parked.note(first_byte_time(facts));
  }
  Metrics::add(counts.request_bytes, facts.request_bytes);
  Metrics::add(counts.reply_bytes, facts.reply_bytes);
}

AppSnapshot AppSeries::read() const {
  AppSnapshot sum{.workspace = workspace_, .app = app_, .routes = {}};
  for (const auto& block : loops_) {
    const LoopCounts* counts = block.find();
    if (counts == nullptr) continue;
    for (std::size_t i = 0; i < kSeriesRoutes; ++i) {
      const RouteCounts* route = counts->routes[i].find();
      if (route == nullptr) continue;
      RouteSnapshot& into = sum.routes[i];
      for (std::size_t c = 0; c < into.by_class.size(); ++c)
        into.by_class[c] += value_of(route->by_class[c]);
      for (std::size_t s = 0; s < into.errors.size(); ++s)
        into.errors[s] += value_of(route->errors[s]);
      route->duration.add_to(into.duration);
    }
    counts->queue_wait.add_to(sum.queue_wait);
    counts->from_cold.add_to(sum.from_cold);
    counts->from_parked.add_to(sum.from_parked);
    sum.request_bytes += value_of(counts->request_bytes);
    sum.reply_bytes += value_of(counts->reply_bytes);
  }
  return sum;
}

SeriesBook::SeriesBook(const Limits& limits)
    : limits_(limits),
      none_(std::make_shared<AppSeries>("", std::string(kNoApp))),
      other_(std::make_shared<AppSeries>("", std::string(kOtherApps))) {}

std::shared_ptr<AppSeries> SeriesBook::ensure(std::string_view workspace, std::string_view app,
                                              Instant now) {
  const std::lock_guard lock(mutex_);
  std::pair<std::string, std::string> name(workspace, app);
  if (const auto found = apps_.find(name); found != apps_.end()) {
    found->second.forget_at = Instant::never();
    return found->second.series;
  }
  forget_gone(now);
  if (apps_.size() >= limits_.apps_max) return other_;
  auto series = std::make_shared<AppSeries>(name.first, name.second);
  apps_.emplace(std::move(name), Kept{.series = series});
  return series;
}

void SeriesBook::note_gone(std::string_view workspace, std::string_view app, Instant now) {
  const std::lock_guard lock(mutex_);
  const auto found = apps_.find(std::pair<std::string, std::string>(workspace, app));
  if (found != apps_.end()) found->second.forget_at = now + limits_.gone_time;
}

std::vector<AppSnapshot> SeriesBook::read(Instant now) {
  const std::lock_guard lock(mutex_);
  forget_gone(now);
  std::vector<AppSnapshot> all;
  all.reserve(apps_.size() + 2);
  all.push_back(none_->read());
  all.push_back(other_->read());
  for (const auto& [name, kept] : apps_) all.push_back(kept.series->read());
  return all;
}

void SeriesBook::forget_gone(Instant now) {
  std::erase_if(apps_, [&](const auto& app) { return app.second.forget_at <= now; });
}

}  // namespace kelvin::gateway
