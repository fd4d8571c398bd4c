// plan_options: what `kelvin plan` was asked, from words to values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "cli/failure.h"
#include "plan/outcome.h"
#include "plan/readers/readers.h"

namespace kelvin::cli {

// As they come from the command line; what is absent is empty.
struct PlanWords {
  std::string trace;
  std::string app;
  std::string format;
  std::vector<std::string> clients;
  std::string service_time;
  std::optional<std::uint32_t> seed;
  std::optional<std::uint32_t> slots;
  std::optional<Duration> start_time;
  std::string resume_time;
  std::optional<std::uint32_t> replicas_max;
  std::vector<std::string> urgencies;
  std::string price;
  std::string reserved_price;
  std::string html;
};

struct PlanWanted {
  plan::ReadOptions reading;
  plan::Terms terms{.cold = 30s, .parked = 2s};
  std::vector<std::uint32_t> urgencies;  // in thousandths, ascending, each once
  std::uint32_t urgency = 20'000;  // the one that is compared with reserving; among `urgencies`
  std::optional<Money> price;      // of an accelerator for an hour
  std::optional<Money> reserved_price;
};

struct PlanParsed {
  Attempt<PlanWanted> wanted;
  std::string app_text;  // of the app file; faults point into it
};
// Reads the app file, if there is one. Options win over it, and it wins over the defaults.
[[nodiscard]] PlanParsed parse_plan_words(const PlanWords& words);

}  // namespace kelvin::cli
