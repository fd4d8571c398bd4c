// kelvin_mutants: plants one bug after another in the core and shows by which checker, and after how many seeds, each
// is caught.
//
//   kelvin_mutants                      every bug, up to 2,000 seeds each
//   kelvin_mutants ignore_max --jobs 2  one of them
//
// Exit code: 0 when every bug was caught, 1 when one was not, 2 for wrong arguments.

#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string_view>

#include "sim/planted.h"
#include "sim/runner.h"

namespace {

using namespace kelvin::sim;

// Every bug is to be caught within so many.
constexpr std::size_t kSeedsMost = 2000;

struct Asked {
  std::string only;  // empty: every bug
  unsigned jobs = 1;
};

// True when it was caught.
bool hunt(int number, const PlantedBug& bug, unsigned jobs) {
  if (!bug.fits) {
    std::printf("%-26s cannot be planted: its text in sim/plant.py does not match the sources\n",
                bug.name.c_str());
    return false;
  }
  kelvin_planted = number;
  Batch batch{.seeds = std::vector<std::uint64_t>(kSeedsMost), .course = {}, .jobs = jobs};
  batch.failures_most = 1;
  std::iota(batch.seeds.begin(), batch.seeds.end(), 1);
  Verdict caught;
  batch.on_failure = [&](const Verdict& verdict) {
    if (caught.holds()) caught = verdict;
  };
  const Progress progress = run(batch);
  kelvin_planted = -1;
  if (caught.holds()) {
    std::printf("%-26s NOT CAUGHT in %zu seeds: %s\n", bug.name.c_str(), progress.done,
                bug.words.c_str());
    return false;
  }
  std::printf("%-26s %-11s seed %4llu  %s\n", bug.name.c_str(), to_text(caught.checker),
              static_cast<unsigned long long>(caught.seed), caught.what.c_str());
  return true;
}

bool parse(int count, char** words, Asked& asked) {
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--jobs" && i + 1 < count) {
      asked.jobs = static_cast<unsigned>(std::strtoul(words[++i], nullptr, 10));
    } else if (!word.starts_with("-") && asked.only.empty()) {
      asked.only = word;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  Asked asked;
  if (!parse(count, words, asked)) {
    std::fprintf(stderr, "usage: kelvin_mutants [NAME] [--jobs N]\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::vector<PlantedBug> bugs = planted_bugs();
  std::size_t hunted = 0;
  std::size_t caught = 0;
  for (std::size_t i = 0; i < bugs.size(); ++i) {
    if (!asked.only.empty() && bugs[i].name != asked.only) continue;
    ++hunted;
    caught += hunt(static_cast<int>(i), bugs[i], asked.jobs) ? 1 : 0;
  }
  std::printf("%zu of %zu planted bugs are caught\n", caught, hunted);
  return hunted > 0 && caught == hunted ? 0 : 1;
}
