// The parts of `kelvin plan` that need no trace: numbers as text, the verdict, curves, options.
#include <gtest/gtest.h>

#include "cli/golden_file.h"
#include "cli/plan_chart.h"
#include "cli/plan_options.h"
#include "cli/plan_report.h"
#include "cli/plan_text.h"

namespace kelvin::cli {
namespace {

TEST(PlanText, AmountsTakeFiveColumnsAtMost) {
  EXPECT_EQ(amount_text(0), "0");
  EXPECT_EQ(amount_text(0.05), "0.050");
  EXPECT_EQ(amount_text(0.5), "0.50");
  EXPECT_EQ(amount_text(3), "3");
  EXPECT_EQ(amount_text(3.266), "3.27");
  EXPECT_EQ(amount_text(32.66), "32.7");
  EXPECT_EQ(amount_text(845.4), "845");
  EXPECT_EQ(amount_text(9999.4), "9999");
  EXPECT_EQ(amount_text(9999.6), "10.0k");
  EXPECT_EQ(amount_text(738'344), "738k");
  EXPECT_EQ(amount_text(999'499), "999k");
  EXPECT_EQ(amount_text(999'500), "1.00M");
  EXPECT_EQ(amount_text(1.2e9), "1.20G");
}

TEST(PlanText, WaitsAndSharesShowThatThereAreSome) {
  EXPECT_EQ(wait_text({}), "0");
  EXPECT_EQ(wait_text(1ns), "<1 ms");
  EXPECT_EQ(wait_text(5ms), "0.01 s");
  EXPECT_EQ(wait_text(314ms), "0.31 s");
  EXPECT_EQ(wait_text(12'400ms), "12.4 s");
  EXPECT_EQ(share_text(0), "0");
  EXPECT_EQ(share_text(0.0001), "<0.1 %");
  EXPECT_EQ(share_text(0.1234), "12.3 %");
}

TEST(PlanUrgency, IsAWordOrANumber) {
  EXPECT_EQ(parse_urgency("interactive"), 20'000U);
  EXPECT_EQ(parse_urgency("7.5"), 7'500U);
  EXPECT_EQ(parse_urgency("0"), 0U);
  for (const std::string text : {"", "-1", "10001", "1e3", "0.0001", "fast", "5 ", "nan"})
    EXPECT_EQ(parse_urgency(text), std::nullopt) << text;
  EXPECT_EQ(urgency_name(100'000), "strict");
  EXPECT_EQ(urgency_name(7'500), "7.5");
}

PlanRow row(PlanPlayer player, double busy, double idle) {
  PlanRow row{.policy = "any", .player = player};
  row.accelerator_s[static_cast<std::size_t>(plan::Spending::Busy)] = busy;
  row.accelerator_s[static_cast<std::size_t>(plan::Spending::Idle)] = idle;
  row.cost = busy + idle;
  return row;
}

// As in the example of plan_report.h.
PlanReport ten_hours_for_two() {
  PlanReport report{.urgencies = {20'000}, .peak = 10};
  report.optimum.needed_s = 7200;
  report.rows = {row(PlanPlayer::Kelvin, 7200, 3600), row(PlanPlayer::Reserved, 7200, 28'800)};
  report.rows[0].urgency_milli = 20'000;
  return report;
}

TEST(PlanVerdict, SaysAboveWhichLoadReservingWins) {
  PlanReport report = ten_hours_for_two();
  PlanVerdict verdict = verdict_of(report);
  EXPECT_DOUBLE_EQ(verdict.load, 0.2);
  EXPECT_DOUBLE_EQ(verdict.overhead, 1.5);
  EXPECT_NEAR(verdict.break_even, 0.667, 0.001);
  EXPECT_NEAR(verdict.saved, 0.7, 1e-9);
  report.price = Money{2'000'000'000};
  report.reserved_price = Money{500'000'000};
  verdict = verdict_of(report);
  EXPECT_NEAR(verdict.break_even, 0.25 / 1.5, 1e-9);
  EXPECT_NEAR(verdict.saved, -0.2, 1e-9) << "3 hours at 2.00 against 10 at 0.50";
  EXPECT_EQ(money_of(report, verdict.reserved_cost), Money{5'000'000'000});
}

TEST(PlanVerdict, SaysSoInWords) {
  PlanReport report = ten_hours_for_two();
  const auto text = [&report] {
    std::string all;
    for (const std::string& sentence : verdict_sentences(report)) all += sentence + "\n";
    return all;
  };
  EXPECT_EQ(text(),
            "Serverless (any) this traffic costs 3 accelerator-hours; none of its requests wait "
            "over 1 s.\n"
            "Reserved, 10 accelerators always on for the peak cost 10 accelerator-hours and serve "
            "for 20.0 % "
            "of that time.\n"
            "At this load serverless saves 70.0 %.\n"
            "Reserving wins above a load of 66.7 %, as long as serverless pays 1.50 s of "
            "accelerator time per "
            "second of serving as it does here.\n");
  report.price = Money{2'000'000'000};
  report.reserved_price = Money{500'000'000};
  EXPECT_NE(text().find("At this load reserving saves 16.7 %."), std::string::npos) << text();
  report.reserved_price = Money{4'000'000'000};
  EXPECT_NE(text().find("Reserving wins at no load"), std::string::npos) << text();
}

// A quarter of a day of made-up traffic, with figures of every size.
PlanReport made_up() {
  PlanReport report{.terms = {.slots = 8, .cold = 30s, .parked = 2s},
                    .urgencies = {5'000, 20'000},
                    .price = Money{2'500'000'000},
                    .peak = 3};
  report.traffic = {.file = "made/up.csv",
                    .format = plan::Format::AccessLog,
                    .requests = 12'345,
                    .apps = 2,
                    .skipped = 7,
                    .lost = 1,
                    .span = 6h,
                    .service_mean = 770ms,
                    .service_p50 = 480ms,
                    .service_p99 = 5'210ms};
  report.optimum = {.needed_s = 6'000, .held_s = 1'500, .starting_s = 900, .starts = 30};
  const auto add = [&report](const std::string& policy, PlanPlayer player,
                             std::array<double, plan::kSpendings> spent) -> PlanRow& {
    PlanRow made{.policy = policy, .player = player, .accelerator_s = spent};
    for (const double part : spent) made.cost += part;
    for (int hour = 0; hour < 6; ++hour)
      made.timeline.add(plan::Timeline::Curve::Warm, hour * 1h, hour * 1h + 20min, hour % 3 + 1);
    report.rows.push_back(made);
    return report.rows.back();
  };
  for (const std::uint32_t urgency : report.urgencies) {
    PlanRow& kelvin = add("kelvin " + urgency_name(urgency), PlanPlayer::Kelvin,
                          {600, 84, 6'150, urgency / 10.0, 0.5, 412.25});
    kelvin.urgency_milli = urgency;
    kelvin.waiting = 260;
    kelvin.wait_p95 = 1'340ms;
    kelvin.wait_p99 = 2s;
    kelvin.wait_most = 30s;
    kelvin.over_1s = 0.0123;
    kelvin.cold_starts = 20;
    kelvin.resumes = 42;
    kelvin.timeline.add(plan::Timeline::Curve::Parked, 20min, 50min, 2);
    kelvin.timeline.add(plan::Timeline::Curve::Waiting, 1h, 1h + 30s, 4);
  }
  PlanRow& storm = add("knative", PlanPlayer::Rival, {1'234'567, 0, 6'150, 98'765, 0, 0});
  storm.waiting = 4'560'000;
  storm.wait_p50 = 300us;
  storm.wait_p95 = 12'400ms;
  storm.wait_p99 = 187s;
  storm.over_1s = 0.0004;
  storm.cold_starts = 41'152;
  add("reserved", PlanPlayer::Reserved, {0, 0, 6'150, 58'650, 0, 0});
  return report;
}

TEST(PlanText, Looks) {
  PlanReport report = made_up();
  std::string text;
  text += render_plan(report, {.columns = 100, .has_unicode = true}) + "--- 80 columns, colours\n";
  text += render_plan(report, {.columns = 80, .has_colour = true}) + "--- no terminal, no price\n";
  report.price.reset();
  text += render_plan(report, {});
  expect_golden("plan.txt", text);
}

TEST(PlanText, TellsProgramsEverything) {
  expect_golden("plan.json.txt", plan_json(made_up()) + "\n");
}

TEST(PlanText, DrawsCharts) {
  const Chart chart{.title = "replicas",
                    .layers = {{"warm", resampled({{1, 2}, 5s}, 10s, Resampling::Average)},
                               {"starting", resampled({{1, 0}, 5s}, 10s, Resampling::Average)}},
                    .most = 2,
                    .span = 10s};
  expect_golden("plan_chart.txt", render_chart(chart));
}

TEST(PlanMoney, IsRoundedToWhatMatters) {
  PlanReport report;
  EXPECT_EQ(money_of(report, 3600), std::nullopt);
  report.price = Money{2'345'678'912};
  EXPECT_EQ(money_of(report, 3600), Money{2'350'000'000});
  EXPECT_EQ(money_of(report, 36), Money{23'500'000});
  EXPECT_EQ(money_of(report, 0), Money{});
  EXPECT_GT(money_of(report, 1e30)->nano, 0);
}

TEST(PlanChart, CurvesKeepTheirIntegralWhenResampled) {
  const Series series{.values = {1, 3, 5}, .step = 2s};
  const std::vector<double> parts = resampled(series, 24s, Resampling::Average);
  double sum = 0;
  for (const double value : parts) sum += value * 24 / static_cast<double>(parts.size());
  EXPECT_NEAR(sum, 18, 1e-9);
  EXPECT_DOUBLE_EQ(parts.front(), 1);
  EXPECT_DOUBLE_EQ(parts.back(), 0);
  const std::vector<double> highest = resampled(series, 2400s, Resampling::Highest);
  EXPECT_DOUBLE_EQ(highest.front(), 5);
}

TEST(PlanChart, TextIsEscaped) {
  EXPECT_EQ(escaped("<a href=\"x\">'&'"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
}

std::string complaint_about(const PlanWords& words) {
  const PlanParsed parsed = parse_plan_words(words);
  return parsed.wanted ? "none" : parsed.wanted.error().what;
}

TEST(PlanOptions, HaveDefaults) {
  const PlanParsed parsed = parse_plan_words({.trace = "t"});
  ASSERT_TRUE(parsed.wanted);
  EXPECT_EQ(parsed.wanted->terms.slots, 8U);
  EXPECT_EQ(parsed.wanted->terms.cold, 30s);
  EXPECT_EQ(parsed.wanted->terms.parked, 2s);
  EXPECT_EQ(parsed.wanted->urgency, 20'000U);
  EXPECT_EQ(parsed.wanted->urgencies, (std::vector<std::uint32_t>{1'000, 5'000, 20'000, 100'000}));
  EXPECT_EQ(parsed.wanted->price, std::nullopt);
}

TEST(PlanOptions, AreTakenAsWritten) {
  const PlanParsed parsed = parse_plan_words({.trace = "t",
                                              .format = "servegen",
                                              .clients = {"3", "17"},
                                              .service_time = "1,0.5,0.25",
                                              .seed = 9,
                                              .slots = 4,
                                              .start_time = 10s,
                                              .resume_time = "none",
                                              .replicas_max = 5,
                                              .urgencies = {"50", "5", "50"},
                                              .price = "2.5",
                                              .reserved_price = "1.25"});
  ASSERT_TRUE(parsed.wanted) << parsed.wanted.error().what;
  const PlanWanted& wanted = *parsed.wanted;
  EXPECT_EQ(wanted.reading.format, plan::Format::ServeGen);
  EXPECT_EQ(wanted.reading.clients, (std::vector<std::uint32_t>{3, 17}));
  EXPECT_EQ(wanted.reading.service.per_generated, 0.25);
  EXPECT_EQ(wanted.reading.seed, 9U);
  EXPECT_EQ(wanted.terms.parked, std::nullopt);
  EXPECT_EQ(wanted.terms.replicas_max, 5U);
  EXPECT_EQ(wanted.urgencies, (std::vector<std::uint32_t>{5'000, 50'000}));
  EXPECT_EQ(wanted.urgency, 50'000U) << "the first one";
  EXPECT_EQ(wanted.price, Money{2'500'000'000});
}

TEST(PlanOptions, ThatMakeNoSenseAreRefused) {
  EXPECT_EQ(complaint_about({.slots = 0}), "--slots is 0; expected 1 to 10000");
  EXPECT_EQ(complaint_about({.replicas_max = 1001}), "--max is 1001; expected 1 to 1000");
  EXPECT_EQ(complaint_about({.start_time = 0s}), "--start-time is 0.00 ms; expected 1ms to 24h");
  EXPECT_EQ(complaint_about({.resume_time = "soon"}),
            "--resume-time is 'soon'; expected a time such as 2s or 500ms, or none");
  EXPECT_EQ(complaint_about({.clients = {"-1"}}), "--client is '-1'; expected a number");
  EXPECT_EQ(complaint_about({.price = "-1"}),
            "--price is '-1'; expected EUR per accelerator and hour, such as 2.50");
  EXPECT_EQ(complaint_about({.reserved_price = "1"}), "--reserved-price is there without --price");
  for (const std::string text : {"1", "1,2", "1,2,x", "1,2,-3", "1,2,3,4", ",,", "nan,0,0"})
    EXPECT_NE(complaint_about({.service_time = text}), "none") << text;
  EXPECT_EQ(complaint_about({.urgencies = {"1", "2", "3", "4", "5", "6", "7", "8", "9"}}),
            "--urgency is there 9 times; at most 8 different ones are compared at once");
  const PlanParsed near = parse_plan_words({.format = "mooncak"});
  ASSERT_FALSE(near.wanted);
  EXPECT_EQ(near.wanted.error().next, "did you mean mooncake?");
}

}  // namespace
}  // namespace kelvin::cli
