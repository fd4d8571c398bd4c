// kelvin_sim: runs seeds through the simulator; prints each seed whose promises break.
//
//   kelvin_sim --seed 17 --trace               one seed, with everything that happens
//   kelvin_sim --seed 1 --seeds 100 --jobs 2   a hundred seeds from 1 on, in two processes
//   kelvin_sim --fresh 1000                    seeds that nobody has run before; the first one is printed
//   kelvin_sim --saved sim/seeds.txt           the seeds that once failed, one per line; '#' begins a comment
//   kelvin_sim --seed 17 --shrink              the least part of a failing seed that still fails, and how to replay it
//
// Exit code: 0 when every promise held, 1 when one broke, 2 for wrong arguments.

#include <sys/resource.h>

#include <cstdio>
#include <fstream>

#include "sim/arguments.h"
#include "sim/shrink.h"

namespace {

using namespace kelvin::sim;

double seconds(kelvin::Duration time) { return static_cast<double>(time.count()) / 1e9; }

// With --verbose and --trace: one after another in this process, so that a debugger sees it.
std::size_t run_here(const Arguments& arguments) {
  std::size_t failed = 0;
  Course course = arguments.course;
  for (const std::uint64_t seed : arguments.seeds) {
    course.seed = seed;
    const Verdict verdict = judge(course);
    failed += verdict.holds() ? 0 : 1;
    std::printf("seed %llu %s%s\n  %s\n", static_cast<unsigned long long>(seed),
                verdict.holds() ? "holds" : "fails: ", verdict.what.c_str(),
                verdict.summary.c_str());
  }
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  std::printf(
      "%.2f s of processor time, %.1f MiB of memory at most\n",
      static_cast<double>(used.ru_utime.tv_sec) + static_cast<double>(used.ru_utime.tv_usec) / 1e6,
      static_cast<double>(used.ru_maxrss) / 1024);
  return failed;
}

void report(const Arguments& arguments, const Verdict& verdict) {
  std::printf("seed %llu: %s: %s\n  %s\n  replay: kelvin_sim --seed %llu%s --trace\n",
              static_cast<unsigned long long>(verdict.seed), to_text(verdict.checker),
              verdict.what.c_str(), verdict.summary.c_str(),
              static_cast<unsigned long long>(verdict.seed),
              to_arguments(arguments.course.part).c_str());
  if (arguments.save.empty()) return;
  std::ofstream(arguments.save, std::ios::app)
      << "# " << to_text(verdict.checker) << ": " << verdict.what << '\n'
      << verdict.seed << '\n';
}

void shrink_one(const Arguments& arguments, const Verdict& verdict) {
  Course course = arguments.course;
  course.seed = verdict.seed;
  const Shrunk shrunk = shrink(course, verdict);
  std::printf(
      "seed %llu shrinks in %zu tries to: %s: %s\n  replay: kelvin_sim --seed %llu%s --trace\n",
      static_cast<unsigned long long>(verdict.seed), shrunk.tries, to_text(shrunk.verdict.checker),
      shrunk.verdict.what.c_str(), static_cast<unsigned long long>(verdict.seed),
      to_arguments(shrunk.part).c_str());
}

void tell(const Progress& progress) {
  std::printf("%zu of %zu seeds, %zu failed, %.1f a second\n", progress.done, progress.all,
              progress.failed, static_cast<double>(progress.done) / seconds(progress.elapsed));
}

std::size_t run_all(const Arguments& arguments) {
  std::vector<Verdict> failures;
  Batch batch{.seeds = arguments.seeds, .course = arguments.course, .jobs = arguments.jobs};
  batch.on_failure = [&](const Verdict& verdict) {
    report(arguments, verdict);
    failures.push_back(verdict);
  };
  if (arguments.shows_progress) batch.on_progress = tell;
  const Progress progress = run(batch);
  std::printf("%zu of %zu seeds hold every promise; %.1f s, %u at a time\n",
              progress.all - failures.size(), progress.all, seconds(progress.elapsed),
              arguments.jobs);
  if (arguments.shrinks) {
    for (const Verdict& verdict : failures) shrink_one(arguments, verdict);
  }
  return failures.size();
}

}  // namespace

int main(int count, char** words) {
  const Arguments arguments = parse_arguments(count, words);
  if (!arguments.problem.empty()) {
    std::fprintf(stderr, "kelvin_sim: %s\n%s", arguments.problem.c_str(), usage());
    return 2;
  }
  // Lines come out as they are printed, so that a sanitizer that ends the program takes none with it.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (!arguments.seeds.empty() && arguments.seeds.size() > 1) {
    std::printf("seeds %llu to %llu\n", static_cast<unsigned long long>(arguments.seeds.front()),
                static_cast<unsigned long long>(arguments.seeds.back()));
  }
  const bool is_here = arguments.course.is_traced || arguments.is_chatty;
  return (is_here ? run_here(arguments) : run_all(arguments)) == 0 ? 0 : 1;
}
