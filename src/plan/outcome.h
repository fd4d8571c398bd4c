// outcome: what a policy makes of a trace: what was held for how long, and who waited.
//
// A replica costs one accelerator-second per second from the order to start it until its end; a parked one costs
// Terms::parked_price. Everything counts up to the last reply and the policy's own idle tail after it. What a second
// of somebody's waiting is worth is lambda, so that policies with more waiting and less cost can be compared:
//
//   J = cost + lambda * sum of waits
//
// Example: one request of 1 s, a start of 10 s, no idle time: cost 11, wait 10, J at lambda 5 = 61.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "plan/trace.h"

namespace kelvin::plan {

// What the replicas of every app are like.
struct Terms {
  std::uint32_t slots = 8;            // requests that a replica serves at once
  Duration cold = 30s;                // from the order to ready
  std::optional<Duration> parked;     // from parked to ready; nothing: replicas cannot be parked
  double parked_price = 0.05;         // of a parked replica, in accelerators
  std::uint32_t replicas_max = 1000;  // per app
};

// What a replica does while it costs something.
enum class Spending : std::uint8_t { Starting, Resuming, Busy, Idle, Parking, Parked };
constexpr std::size_t kSpendings = 6;

// Curves over time, as averages of equal steps. The step doubles whenever the curve would have more than kStepsMax,
// so that a day and a minute both fit.
class Timeline {
 public:
  enum class Curve : std::uint8_t { Warm, Starting, Parked, Waiting };
  static constexpr std::size_t kCurves = 4;
  static constexpr std::size_t kStepsMax = 1024;

  // `amount` of it was there during [from, to).
  void add(Curve curve, Duration from, Duration to, double amount = 1);
  // The average of the curve during each step, from the trace's first moment on.
  [[nodiscard]] std::vector<double> averages(Curve curve) const;
  [[nodiscard]] Duration step() const { return step_; }

 private:
  void widen();

  Duration step_ = 1s;
  std::array<std::vector<double>, kCurves> sums_;  // amount-seconds per step
};

struct Outcome {
  std::string policy;
  std::array<double, kSpendings> accelerator_s{};  // by Spending; of parked ones times their price
  std::vector<Duration> waits;                     // of every arrival, in the trace's order
  std::uint64_t cold_starts = 0;
  std::uint64_t resumes = 0;
  Timeline timeline;

  // A replica did this during [from, to).
  void spend(Spending what, Duration from, Duration to, double price = 1);
  // The arrival at this place waited from `from` until it had a slot at `to`.
  void waited(std::size_t arrival, Duration from, Duration to);

  [[nodiscard]] double spent(Spending what) const {
    return accelerator_s[static_cast<std::size_t>(what)];
  }
  [[nodiscard]] double cost() const;     // accelerator-seconds
  [[nodiscard]] double waiting() const;  // request-seconds
  [[nodiscard]] double priced(double lambda) const { return cost() + lambda * waiting(); }
  // The wait that this part of the requests, from 0 to 1, does not exceed; 0 without requests.
  [[nodiscard]] Duration wait_quantile(double part) const;
  // The part of the requests, from 0 to 1, that waited longer.
  [[nodiscard]] double share_waiting_over(Duration limit) const;
};

// Nothing spent, nobody waited yet.
[[nodiscard]] Outcome outcome_of(std::string policy, const Trace& trace);

[[nodiscard]] double to_seconds(Duration time);

}  // namespace kelvin::plan
