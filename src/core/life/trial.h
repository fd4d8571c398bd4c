// trial: whether a revision that takes over step by step is worse than the one it replaces.
//
// Each step compares the replies since it began: f1 of n1 failed of the revision on trial, f0 of n0 of the old one. A
// reply has failed when the program said 5xx or broke it off. The difference of the two shares, d = f1/n1 - f0/n0, is
// known only within bounds: those of Newcombe (Statistics in Medicine 17, 1998, method 10), which add the distances to
// Wilson's score bounds of both shares in squares, here one-sided at 99.5 % (z = 2.58):
//
//   low = d - sqrt((p1 - l1)^2 + (u0 - p0)^2)
//
// The rule allows `errors` more failed replies than the old revision has. The trial is
//
//   lost   at once where low > errors, with `requests` replies or 5 failed ones to judge by: it is worse beyond doubt;
//   lost   at once where two replicas on trial died by themselves or stopped answering, and more than old ones did;
//   won    after `every` with `requests` replies and d <= errors;
//   won    after ten times `every` where d <= errors, however few replies there were;
//   lost   after ten times `every` else: it could not show itself to be no worse;
//   open   until then.
//
// Worked example with errors 2 %: 3 of 20 failed against 0 of 380 gives d = 15 %, l1 = 3.9 %, u0 = 1.7 % and
// low = 15 - sqrt(11.1^2 + 1.7^2) = 3.7 %: lost. 1 of 20 gives low = 0.3 %, but d = 5 %: open. An old revision without
// replies counts as one that never fails. The bound is that strict because it is looked at after every report.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "model/app.h"

namespace kelvin::life {

// What a revision did during a step.
struct Tally {
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint32_t breakdowns = 0;  // replicas that died by themselves or stopped answering
};

enum class Verdict : std::uint8_t { Open, Won, Lost };

struct Finding {
  Verdict verdict = Verdict::Open;
  std::string
      why;  // "3 of 20 replies failed, 15 %, against 0 of 380, 0 %; at least 4.3 % more, 2 % are allowed"
};

struct Trial {
  Tally fresh;
  Tally old;
  Duration time{};  // since the step began
};
[[nodiscard]] Finding judge(const Trial& trial, const model::RolloutRule& rule);

// Lower bound of the difference of two shares of failed replies, from -1 to 1.
[[nodiscard]] double least_difference(const Tally& fresh, const Tally& old);

constexpr std::uint32_t kBreakdownsMax = 2;
constexpr int kPatience = 10;  // times `every`

}  // namespace kelvin::life
