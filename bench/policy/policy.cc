// policy: what Kelvin's controller and other platforms' rules make of one trace, at one start time.
//
//   policy --trace PATH [--format NAME] [--clients 1,2,...] [--seed N] --cold-ms N [--parked-ms A,B,...]
//          [--urgencies 1,5,...] [--slots N] [--parked-price P]
//
// One JSON object a line, as each is done: {"policy", "urgency", "parked_ms", "cost", "waiting", "over_1s", "p99_s",
// "cold_starts", "resumes"}; cost in accelerator-seconds, waiting in request-seconds. Urgency and parked_ms are null
// where the policy knows neither. Kelvin comes once per urgency without parking and once more per time in --parked-ms;
// "optimum" is the offline zero-wait optimum.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plan/optimum.h"
#include "plan/policies.h"
#include "plan/readers/readers.h"
#include "plan/replay.h"
#include "plan/rivals.h"

namespace {

using namespace kelvin;
using std::chrono::milliseconds;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "policy: %s\n", why.c_str());
  std::exit(2);
}

std::uint64_t number_in(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(digits.begin(), digits.end(), value);
  if (problem != std::errc{} || end != digits.end())
    give_up("not a whole number: " + std::string(digits));
  return value;
}

std::vector<std::uint32_t> numbers_in(std::string_view list) {
  std::vector<std::uint32_t> numbers;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    numbers.push_back(static_cast<std::uint32_t>(number_in(list.substr(0, comma))));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return numbers;
}

class Arguments {
 public:
  Arguments(int count, char** values) {
    if (count % 2 == 0) give_up(std::string("no value for ") + values[count - 1]);
    for (int i = 1; i < count; i += 2) given_[values[i]] = values[i + 1];
  }
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise) const {
    const auto found = given_.find(name);
    return found == given_.end() ? otherwise : found->second;
  }

 private:
  std::map<std::string, std::string> given_;
};

plan::Trace read(const Arguments& given) {
  plan::ReadOptions options;
  if (const std::string format = given.text("--format", ""); !format.empty()) {
    options.format = plan::to_format(format);
    if (!options.format) give_up("no format is called " + format);
  }
  options.clients = numbers_in(given.text("--clients", ""));
  options.seed = number_in(given.text("--seed", "1"));
  plan::Reading<plan::ReadTrace> found = plan::read_trace(given.text("--trace", ""), options);
  if (!found) give_up(plan::to_text(found.error()) + ": " + found.error().next);
  return std::move(found->trace);
}

// For whom an outcome holds, where the policy looks at it.
struct Setting {
  std::optional<std::uint32_t> urgency;
  std::optional<std::uint32_t> parked_ms;
};

std::string to_json(std::optional<std::uint32_t> number) {
  return number ? std::to_string(*number) : "null";
}

void print(const plan::Outcome& outcome, const Setting& setting = {}) {
  std::printf(
      "{\"policy\": \"%s\", \"urgency\": %s, \"parked_ms\": %s, \"cost\": %.3f, \"waiting\": %.3f, "
      "\"over_1s\": %.6f, \"p99_s\": %.3f, \"cold_starts\": %llu, \"resumes\": %llu}\n",
      outcome.policy.c_str(), to_json(setting.urgency).c_str(), to_json(setting.parked_ms).c_str(),
      outcome.cost(), outcome.waiting(), outcome.share_waiting_over(1s),
      plan::to_seconds(outcome.wait_quantile(0.99)),
      static_cast<unsigned long long>(outcome.cold_starts),
      static_cast<unsigned long long>(outcome.resumes));
  std::fflush(stdout);
}

void print_rivals(const plan::Trace& trace, const plan::Terms& terms) {
  plan::Outcome optimum = plan::outcome_of("optimum", trace);
  const plan::Optimum found = plan::offline_optimum(trace, terms);
  optimum.accelerator_s[static_cast<std::size_t>(plan::Spending::Busy)] = found.cost();
  optimum.cold_starts = found.starts;
  print(optimum);
  for (const plan::Policy& policy : plan::policies({})) print(policy.replay(trace, terms, {}));
}

void print_kelvin(const plan::Trace& trace, plan::Terms terms, const Setting& setting) {
  if (setting.parked_ms) terms.parked = milliseconds(*setting.parked_ms);
  plan::Outcome outcome = plan::replay(
      trace, terms, {.urgency_milli = setting.urgency.value_or(0) * 1000, .progress = {}});
  outcome.policy = "kelvin";
  print(outcome, setting);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments given(argc, argv);
  const plan::Trace trace = read(given);
  plan::Terms terms;
  terms.slots = static_cast<std::uint32_t>(number_in(given.text("--slots", "8")));
  terms.cold = milliseconds(number_in(given.text("--cold-ms", "30000")));
  terms.parked_price = std::strtod(given.text("--parked-price", "0.05").c_str(), nullptr);
  print_rivals(trace, terms);
  const std::vector<std::uint32_t> parked = numbers_in(given.text("--parked-ms", ""));
  for (const std::uint32_t urgency : numbers_in(given.text("--urgencies", "1,5,20,100"))) {
    print(plan::headroom_floor(trace, terms, urgency), {.urgency = urgency, .parked_ms = {}});
    print_kelvin(trace, terms, {.urgency = urgency, .parked_ms = {}});
    for (const std::uint32_t parked_ms : parked)
      print_kelvin(trace, terms, {.urgency = urgency, .parked_ms = parked_ms});
  }
  return 0;
}
