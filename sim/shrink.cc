#include "sim/shrink.h"

#include <algorithm>
#include <numeric>

namespace kelvin::sim {

namespace {

// All of the numbers from `begin` to `end` (indices), or all but those.
Numbers piece(const Numbers& numbers, std::size_t begin, std::size_t end) {
  return {numbers.begin() + static_cast<std::ptrdiff_t>(begin),
          numbers.begin() + static_cast<std::ptrdiff_t>(end)};
}

Numbers rest(const Numbers& numbers, std::size_t begin, std::size_t end) {
  Numbers kept = piece(numbers, 0, begin);
  const Numbers behind = piece(numbers, end, numbers.size());
  kept.insert(kept.end(), behind.begin(), behind.end());
  return kept;
}

Numbers first_numbers(std::size_t count) {
  Numbers numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0U);
  return numbers;
}

}  // namespace

Numbers minimize(Numbers numbers, const std::function<bool(const Numbers&)>& fails) {
  if (numbers.empty() || fails({})) return {};
  for (std::size_t pieces = 2; numbers.size() > 1;) {
    const std::size_t length = (numbers.size() + pieces - 1) / pieces;
    Numbers smaller = numbers;
    for (std::size_t begin = 0; begin < numbers.size() && smaller.size() == numbers.size();
         begin += length) {
      const std::size_t end = std::min(begin + length, numbers.size());
      for (const Numbers& part : {piece(numbers, begin, end), rest(numbers, begin, end)}) {
        const bool is_smaller = part.size() < numbers.size() && !part.empty();
        if (!is_smaller || !fails(part)) continue;
        smaller = part;
        break;
      }
    }
    if (smaller.size() < numbers.size()) {
      pieces = smaller.size() * 2 <= numbers.size() ? 2 : std::max<std::size_t>(pieces - 1, 2);
      numbers = std::move(smaller);
    } else if (length == 1) {
      break;
    } else {
      pieces = std::min(pieces * 2, numbers.size());
    }
  }
  return numbers;
}

Shrunk shrink(const Course& course, const Verdict& failed) {
  const Scenario scenario = Simulation(course).scenario();
  Shrunk shrunk{.part = course.part, .verdict = failed};
  // One list after the other; what is left of the others stays as it is.
  const auto shorten = [&](std::optional<Numbers> Part::* list, std::size_t count) {
    const Numbers all = (shrunk.part.*list).value_or(first_numbers(count));
    shrunk.part.*list = minimize(all, [&](const Numbers& numbers) {
      Course tried = course;
      tried.part = shrunk.part;
      tried.part.*list = numbers;
      ++shrunk.tries;
      const Verdict verdict = judge_apart(tried);
      if (verdict.checker != failed.checker) return false;
      shrunk.verdict = verdict;
      return true;
    });
  };
  shorten(&Part::acts, scenario.acts);
  shorten(&Part::faults, scenario.faults);
  shorten(&Part::requests, scenario.requests);
  // Fewer requests may need fewer of the others.
  shorten(&Part::faults, scenario.faults);
  shorten(&Part::acts, scenario.acts);
  return shrunk;
}

}  // namespace kelvin::sim
