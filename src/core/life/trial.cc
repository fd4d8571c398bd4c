#include "core/life/trial.h"

#include <algorithm>
#include <cmath>

#include "core/words.h"

namespace kelvin::life {

namespace {

constexpr double kZ = 2.5758;  // one-sided 99.5 %
constexpr std::uint64_t kFailedEnough = 5;

double share(const Tally& tally) {
  if (tally.answered == 0) return 0;
  const std::uint64_t failed = std::min(tally.failed, tally.answered);
  return static_cast<double>(failed) / static_cast<double>(tally.answered);
}

// Wilson's score bounds of a share; both are 0 where there was no reply.
struct Bounds {
  double low = 0;
  double high = 0;
};
Bounds bounds_of(const Tally& tally) {
  if (tally.answered == 0) return {};
  const double n = static_cast<double>(tally.answered);
  const double p = share(tally);
  const double square = kZ * kZ;
  const double middle = p + square / (2 * n);
  const double half = kZ * std::sqrt(p * (1 - p) / n + square / (4 * n * n));
  return {std::max(0.0, (middle - half) / (1 + square / n)),
          std::min(1.0, (middle + half) / (1 + square / n))};
}

double square_of(double number) { return number * number; }

std::string percent_words(double part) {
  return milli_words(static_cast<std::int64_t>(std::llround(part * 100'000))) + " %";
}

std::string reply_words(const Tally& tally) {
  return std::to_string(tally.failed) + " of " + std::to_string(tally.answered) + " (" +
         percent_words(share(tally)) + ")";
}

std::string breakdown_words(const Trial& trial) {
  return count_words(trial.fresh.breakdowns, "replica") +
         " of it died or stopped answering by itself, " + std::to_string(trial.old.breakdowns) +
         " of the old one";
}

}  // namespace

double least_difference(const Tally& fresh, const Tally& old) {
  const double p1 = share(fresh);
  const double p0 = share(old);
  const double below = square_of(p1 - bounds_of(fresh).low) + square_of(bounds_of(old).high - p0);
  return p1 - p0 - std::sqrt(below);
}

Finding judge(const Trial& trial, const model::RolloutRule& rule) {
  const auto& [fresh, old, time] = trial;
  if (fresh.breakdowns >= kBreakdownsMax && fresh.breakdowns > old.breakdowns)
    return {Verdict::Lost, breakdown_words(trial)};
  const double allowed = rule.errors_milli / 100'000.0;
  const double least = least_difference(fresh, old);
  const double difference = share(fresh) - share(old);
  const std::string replies = reply_words(fresh) + " of its replies failed, " + reply_words(old) +
                              " of the old one's; " + percent_words(allowed) + " more are allowed";
  const bool has_enough = fresh.answered >= rule.requests;
  if ((has_enough || fresh.failed >= kFailedEnough) && least > allowed)
    return {Verdict::Lost, replies + ", and it is at least " + percent_words(least)};
  if (time < rule.every) return {Verdict::Open, replies};
  const bool is_fine = difference <= allowed;
  if (is_fine && has_enough) return {Verdict::Won, replies};
  const bool is_over = time >= rule.every * kPatience;
  const std::string few =
      has_enough ? "" : "; fewer than the " + std::to_string(rule.requests) + " replies asked for";
  if (!is_over) {
    return {Verdict::Open,
            replies + few + (is_fine ? "" : "; it may be chance, so it is given more time")};
  }
  if (is_fine) return {Verdict::Won, replies + few + " came in " + to_words(time)};
  return {Verdict::Lost,
          replies + few + "; it has not shown itself to be no worse in " + to_words(time)};
}

}  // namespace kelvin::life
