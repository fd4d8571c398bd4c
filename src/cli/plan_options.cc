#include "cli/plan_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "cli/parcel.h"
#include "cli/plan_report.h"
#include "cli/text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

constexpr std::array<std::uint32_t, 4> kUrgencies = {1'000, 5'000, 20'000, 100'000};
constexpr std::size_t kUrgenciesMax = 8;  // as many J columns as a page has room for
constexpr std::uint32_t kSlotsMax = 10'000;
constexpr std::uint32_t kReplicasMax = 1'000;
constexpr Duration kTimeMin = 1ms;
constexpr Duration kTimeMax = 24h;
constexpr double kPriceMax = 1e6;
constexpr double kServiceMax = 3600;

Failure usage(std::string what, std::string next = "see kelvin plan --help") {
  return {
      .exit = ExitCode::Usage, .code = "usage", .what = std::move(what), .next = std::move(next)};
}

std::optional<double> to_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

Attempt<std::optional<Money>> parse_price(std::string_view option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::optional<double> value = to_double(text);
  if (!value || *value < 0 || *value > kPriceMax) {
    return failed(
        usage(fmt::format("{} is '{}'; expected {} per accelerator and hour, such as 2.50", option,
                          printable(text), kPlanCurrency)));
  }
  return Money{std::llround(*value * 1e9)};
}

Attempt<plan::ServiceTime> parse_service_time(const std::string& text) {
  plan::ServiceTime service;
  if (text.empty()) return service;
  const std::size_t first = text.find(',');
  const std::size_t second = first == std::string::npos ? first : text.find(',', first + 1);
  std::array<double*, 3> parts = {&service.fixed, &service.per_context, &service.per_generated};
  bool is_good = second != std::string::npos;
  std::string_view rest = text;
  for (std::size_t i = 0; i < parts.size() && is_good; ++i) {
    const std::string_view part = i == 2 ? rest : rest.substr(0, rest.find(','));
    const std::optional<double> value = to_double(part);
    is_good = value && *value >= 0 && *value <= kServiceMax;
    if (!is_good) break;
    *parts[i] = *value;
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  }
  if (is_good) return service;
  return failed(
      usage(fmt::format("--service-time is '{}'; expected three numbers of seconds: fixed, "
                        "per context token, per generated token, such as 0.05,8e-5,0.02",
                        printable(text))));
}

Attempt<plan::ReadOptions> parse_reading(const PlanWords& words) {
  plan::ReadOptions reading{.seed = words.seed.value_or(1)};
  if (!words.format.empty()) {
    reading.format = plan::to_format(words.format);
    std::vector<std::string> known;
    for (const plan::Format format : plan::formats()) known.emplace_back(plan::to_text(format));
    if (!reading.format) {
      std::string list;
      for (const std::string& one : known) list += (list.empty() ? "" : ", ") + one;
      const std::string near = nearest(words.format, known);
      return failed(
          usage(fmt::format("--format is '{}'; expected one of {}", printable(words.format), list),
                near.empty() ? "leave it out, and the content says"
                             : fmt::format("did you mean {}?", near)));
    }
  }
  auto service = parse_service_time(words.service_time);
  if (!service) return failed(service.error());
  reading.service = *service;
  for (const std::string& client : words.clients) {
    std::uint32_t number = 0;
    const char* end = client.data() + client.size();
    const auto [stop, error] = std::from_chars(client.data(), end, number);
    if (error != std::errc() || stop != end)
      return failed(usage(fmt::format("--client is '{}'; expected a number", printable(client))));
    reading.clients.push_back(number);
  }
  return reading;
}

std::optional<Failure> out_of_range(std::string_view option, std::uint32_t value,
                                    std::uint32_t most) {
  if (value >= 1 && value <= most) return std::nullopt;
  return usage(fmt::format("{} is {}; expected 1 to {}", option, value, most));
}

std::optional<Failure> out_of_range(std::string_view option, Duration value) {
  if (value >= kTimeMin && value <= kTimeMax) return std::nullopt;
  return usage(
      fmt::format("{} is {}; expected 1ms to 24h", option, duration_text(value.count() / 1000)));
}

std::optional<Failure> set_terms(const PlanWords& words, plan::Terms& terms) {
  if (words.slots) terms.slots = *words.slots;
  if (words.start_time) terms.cold = *words.start_time;
  if (words.replicas_max) terms.replicas_max = *words.replicas_max;
  if (words.resume_time == "none") {
    terms.parked.reset();
  } else if (!words.resume_time.empty()) {
    terms.parked = parse_duration(words.resume_time);
    if (!terms.parked) {
      return usage(
          fmt::format("--resume-time is '{}'; expected a time such as 2s or 500ms, or none",
                      printable(words.resume_time)));
    }
  }
  if (auto failure = out_of_range("--slots", terms.slots, kSlotsMax)) return failure;
  if (auto failure = out_of_range("--max", terms.replicas_max, kReplicasMax)) return failure;
  if (auto failure = out_of_range("--start-time", terms.cold)) return failure;
  return terms.parked ? out_of_range("--resume-time", *terms.parked) : std::nullopt;
}

std::optional<Failure> set_urgencies(const PlanWords& words, PlanWanted& wanted) {
  for (const std::string& text : words.urgencies) {
    const std::optional<std::uint32_t> milli = parse_urgency(text);
    if (!milli) {
      return usage(
          fmt::format("--urgency is '{}'; expected batch, balanced, interactive, strict, or a "
                      "number from 0 to 10000 with at most three decimals",
                      printable(text)));
    }
    if (wanted.urgencies.empty()) wanted.urgency = *milli;
    wanted.urgencies.push_back(*milli);
  }
  if (words.urgencies.empty()) {
    wanted.urgencies.assign(kUrgencies.begin(), kUrgencies.end());
    wanted.urgencies.push_back(wanted.urgency);
  }
  std::ranges::sort(wanted.urgencies);
  const auto repeated = std::ranges::unique(wanted.urgencies);
  wanted.urgencies.erase(repeated.begin(), repeated.end());
  if (wanted.urgencies.size() <= kUrgenciesMax) return std::nullopt;
  return usage(
      fmt::format("--urgency is there {} times; at most {} different ones are compared at once",
                  wanted.urgencies.size(), kUrgenciesMax));
}

void set_from_app(const model::AppSpec& spec, PlanWanted& wanted) {
  wanted.terms.slots = spec.scale.concurrency;
  wanted.terms.replicas_max = spec.scale.replicas_max;
  wanted.urgency = spec.scale.urgency_milli;
  if (spec.park == model::ParkRule::Never) wanted.terms.parked.reset();
}

Attempt<PlanWanted> wanted_of(const PlanWords& words, PlanWanted wanted) {
  auto reading = parse_reading(words);
  if (!reading) return failed(reading.error());
  wanted.reading = std::move(*reading);
  if (auto failure = set_terms(words, wanted.terms)) return failed(std::move(*failure));
  if (auto failure = set_urgencies(words, wanted)) return failed(std::move(*failure));
  const auto price = parse_price("--price", words.price);
  if (!price) return failed(price.error());
  const auto reserved_price = parse_price("--reserved-price", words.reserved_price);
  if (!reserved_price) return failed(reserved_price.error());
  if (*reserved_price && !*price)
    return failed(
        usage("--reserved-price is there without --price", "give both, in the same currency"));
  wanted.price = *price;
  wanted.reserved_price = *reserved_price;
  return wanted;
}

}  // namespace

PlanParsed parse_plan_words(const PlanWords& words) {
  PlanWanted wanted;
  PlanParsed parsed;
  if (!words.app.empty()) {
    ReadApp read = read_app(words.app);
    parsed.app_text = std::move(read.text);
    if (!read.app) {
      Failure failure = std::move(read.app.error());
      failure.why.clear();
      failure.next = "mend the app file, or leave --app out and say what a replica is like";
      parsed.wanted = failed(std::move(failure));
      return parsed;
    }
    set_from_app(read.app->spec, wanted);
  }
  parsed.wanted = wanted_of(words, std::move(wanted));
  return parsed;
}

}  // namespace kelvin::cli
