// app_series: what is counted per app and way of calling it.
//
// Every loop counts for itself: AppSeries holds one block per loop, made by that loop when it first sees the app and read
// by whoever writes /metrics. So a request costs a handful of plain loads and stores, and no lock and no memory is taken
// after its app's first. SeriesBook bounds how many apps have series of their own and forgets deleted ones.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "gateway/metrics.h"
#include "model/replica.h"

namespace kelvin::gateway {

struct RequestFacts;

// Upper bounds of the buckets of every histogram of times, in seconds.
constexpr std::array<double, 17> kTimeBounds = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

struct TimesSnapshot {
  std::array<std::uint64_t, kTimeBounds.size() + 1> counts{};
  std::uint64_t sum_ns = 0;
  [[nodiscard]] std::uint64_t count() const;
};

// A histogram of times with one writer.
struct Times {
  std::array<Metrics::Counter, kTimeBounds.size() + 1> counts{};
  Metrics::Counter sum_ns{0};
  void note(Duration time);
  void add_to(TimesSnapshot& sum) const;
};

// Who an error is laid to.
enum class ErrorSource : std::uint8_t {
  App,      // the replica answered 5xx
  Broken,   // the replica's reply broke off after its head
  Gateway,  // the gateway answered 5xx: no room, no replica, a deadline
  Client,   // it left before its reply was whole
};
constexpr std::size_t kErrorSources = 4;
[[nodiscard]] std::string_view to_text(ErrorSource source);  // "app"

constexpr std::size_t kSeriesRoutes = 8;  // as many as RouteLabel has

struct RouteSnapshot {
  std::array<std::uint64_t, 6> by_class{};  // as in MetricsSnapshot
  std::array<std::uint64_t, kErrorSources> errors{};
  TimesSnapshot duration;
};

// Sums over all loops.
struct AppSnapshot {
  std::string workspace;  // empty: no app's, but the rest's
  std::string app;
  std::array<RouteSnapshot, kSeriesRoutes> routes;
  TimesSnapshot queue_wait;
  TimesSnapshot from_cold;
  TimesSnapshot from_parked;
  std::uint64_t request_bytes = 0;
  std::uint64_t reply_bytes = 0;
};

class AppSeries {
 public:
  AppSeries(std::string workspace, std::string app)
      : workspace_(std::move(workspace)), app_(std::move(app)) {}

  // Counts one request that has ended. Only the thread of this loop may call it.
  void note(std::uint32_t loop, const RequestFacts& facts);
  // From any thread.
  [[nodiscard]] AppSnapshot read() const;

 private:
  struct RouteCounts {
    std::array<Metrics::Counter, 6> by_class{};
    std::array<Metrics::Counter, kErrorSources> errors{};
    Times duration;
  };
  // A block that its owner makes when it is first needed.
  template <class T>
  class Block {
   public:
    Block() = default;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { delete at_.load(std::memory_order_acquire); }
    T& ensure() {
      if (T* made = at_.load(std::memory_order_relaxed); made != nullptr) return *made;
      T* fresh = new T();
      at_.store(fresh, std::memory_order_release);
      return *fresh;
    }
    const T* find() const { return at_.load(std::memory_order_acquire); }

   private:
    std::atomic<T*> at_{nullptr};
  };
  struct LoopCounts {
    std::array<Block<RouteCounts>, kSeriesRoutes> routes;
    Times queue_wait;
    Times from_cold;
    Times from_parked;
    Metrics::Counter request_bytes{0};
    Metrics::Counter reply_bytes{0};
  };
  static constexpr std::size_t kLoopsMax = 16;

  std::string workspace_;
  std::string app_;
  std::array<Block<LoopCounts>, kLoopsMax> loops_;
};

// The names of the two series that belong to no app: no app can be called so.
constexpr std::string_view kOtherApps = "_other";
constexpr std::string_view kNoApp = "_none";

// Which apps have series. May be used from any thread; a lock is taken, so not while a request is served.
class SeriesBook {
 public:
  struct Limits {
    std::size_t apps_max = 1000;  // with series of their own; what comes later counts as "_other"
    Duration gone_time =
        15min;  // the series of a deleted app stay so long, for a last look at them
  };
  explicit SeriesBook(const Limits& limits);

  // The app's series. One that comes again under its old name before it is forgotten goes on counting where it stood.
  std::shared_ptr<AppSeries> ensure(std::string_view workspace, std::string_view app, Instant now);
  // The app was deleted.
  void note_gone(std::string_view workspace, std::string_view app, Instant now);
  // Of requests for which no app was found.
  AppSeries& without_app() { return *none_; }

  // Everything, the two of no app included, in the order of workspaces and names.
  [[nodiscard]] std::vector<AppSnapshot> read(Instant now);

 private:
  struct Kept {
    std::shared_ptr<AppSeries> series;
    Instant forget_at = Instant::never();
  };
  void forget_gone(Instant now);

  const Limits limits_;
  const std::shared_ptr<AppSeries> none_;
  const std::shared_ptr<AppSeries> other_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Kept, std::less<>> apps_;  // guarded by mutex_
};

}  // namespace kelvin::gateway
