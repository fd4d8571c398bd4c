#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>

#include "obs/decision_log.h"
#include "obs/log.h"
#include "obs/metrics.h"

namespace kelvin::obs {
namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK), 0); }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::string read() const {
    std::array<char, 65536> bytes{};
    const ssize_t n = ::read(ends[0], bytes.data(), bytes.size());
    return {bytes.data(), static_cast<std::size_t>(n > 0 ? n : 0)};
  }
  std::array<int, 2> ends{-1, -1};
};

Log log_to(const Pipe& pipe) {
  return Log(
      Log::Options{.fd = pipe.ends[1], .unix_ms = [] { return std::int64_t{1'772'366'400'250}; }});
}

TEST(Log, WritesOneLineAnEventWithItsTimeAndFields) {
  const Pipe pipe;
  Log log = log_to(pipe);
  log.info("app deployed", {{"app", "gemma"}, {"revision", "3"}, {"why", "a \"new\"\nmodel"}});
  EXPECT_EQ(pipe.read(),
            "at=2026-03-01T12:00:00.250Z level=info says=\"app deployed\" app=gemma revision=3 "
            "why=\"a \\\"new\\\"\\nmodel\"\n");
}

TEST(Log, LeavesOutWhatLiesBelowItsLevel) {
  const Pipe pipe;
  Log log = log_to(pipe);
  log.debug("not this");
  log.warn("this");
  EXPECT_EQ(pipe.read(), "at=2026-03-01T12:00:00.250Z level=warn says=this\n");
}

TEST(Log, HidesTheSecretPartOfKeys) {
  const std::string secret(43, 'A');
  EXPECT_EQ(hide_keys("got kv_ab12cd34_" + secret + ", then kv_ab12cd34 alone and kv_"),
            "got kv_ab12cd34_***, then kv_ab12cd34 alone and kv_");
  EXPECT_EQ(log_line(Level::Info, "x", {{"token", "kv_ab12cd34_" + secret}}),
            "level=info says=x token=\"kv_ab12cd34_***\"");
}

TEST(Log, CutsLongValues) {
  const std::string line = log_line(Level::Info, "x", {{"value", std::string(5000, 'y')}});
  EXPECT_LT(line.size(), 1100U);
  EXPECT_TRUE(line.ends_with("y...\"")) << line;
}

TEST(Log, DropsLinesWhenNobodyReadsAndSaysSoLater) {
  const Pipe pipe;
  Log log = log_to(pipe);
  const std::string filling(900, 'f');
  for (int i = 0; i < 200; ++i) log.info(filling);
  while (!pipe.read().empty()) {
  }
  log.info("again");
  const std::string line = pipe.read();
  EXPECT_NE(line.find("says=again lines_dropped_before="), std::string::npos) << line;
}

model::Decision decision(std::int64_t at, AppId app, ReplicaId replica) {
  return {.at = {at}, .app = app, .replica = replica, .verb = "start", .sentence = "because"};
}

TEST(DecisionLog, FindsByAppReplicaAndRequestOldestFirst) {
  DecisionLog log;
  log.add(decision(1, {1}, {11}));
  log.add(decision(2, {2}, {21}));
  log.add(decision(3, {1}, {12}));
  model::Decision about_request = decision(4, {1}, {});
  about_request.request = {7};
  log.add(about_request);

  EXPECT_EQ(log.find({}).size(), 4U);
  const auto of_app = log.find({.app = {1}});
  ASSERT_EQ(of_app.size(), 3U);
  EXPECT_EQ(of_app[0].at.ns, 1);
  EXPECT_EQ(of_app[2].at.ns, 4);
  ASSERT_EQ(log.find({.replica = {12}}).size(), 1U);
  ASSERT_EQ(log.find({.request = {7}}).size(), 1U);
  const auto last = log.find({.app = {1}, .most = 2});
  ASSERT_EQ(last.size(), 2U);
  EXPECT_EQ(last[0].at.ns, 3);
}

TEST(DecisionLog, ForgetsTheOldestAtItsLimitAndCutsLongSentences) {
  DecisionLog log({.entries_max = 3, .sentence_bytes_max = 10});
  for (int i = 1; i <= 5; ++i) {
    model::Decision next = decision(i, {1}, {});
    next.sentence = std::string(50, 'x');
    log.add(next);
  }
  const auto kept = log.find({});
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].at.ns, 3);
  EXPECT_EQ(kept[0].sentence, "xxxxxxxxxx...");
}

TEST(Metrics, WritesFamiliesSamplesAndEscapes) {
  MetricsWriter writer;
  writer.family(MetricType::Counter, "kelvin_requests_total", "Requests that ended.\nBy app.");
  writer.sample({{"app", "a\"b\\c\nd"}, {"status", "200"}}, std::uint64_t{7});
  writer.family(MetricType::Gauge, "kelvin_uptime_seconds", "Since the start.");
  writer.sample({}, 1.5);
  writer.sample({{"at", "x"}}, std::int64_t{-3});
  EXPECT_EQ(writer.take(),
            "# HELP kelvin_requests_total Requests that ended.\\nBy app.\n"
            "# TYPE kelvin_requests_total counter\n"
            "kelvin_requests_total{app=\"a\\\"b\\\\c\\nd\",status=\"200\"} 7\n"
            "# HELP kelvin_uptime_seconds Since the start.\n"
            "# TYPE kelvin_uptime_seconds gauge\n"
            "kelvin_uptime_seconds 1.5\n"
            "kelvin_uptime_seconds{at=\"x\"} -3\n");
}

TEST(Metrics, HistogramBucketsAreCumulativeAndEndInInfinity) {
  constexpr std::array<double, 2> bounds{0.001, 0.01};
  constexpr std::array<std::uint64_t, 3> counts{2, 3, 1};
  MetricsWriter writer;
  writer.family(MetricType::Histogram, "kelvin_wait_seconds", "Waiting.");
  writer.histogram({{"app", "x"}}, {.bounds = bounds, .counts = counts, .sum = 0.25});
  EXPECT_EQ(writer.take(),
            "# HELP kelvin_wait_seconds Waiting.\n"
            "# TYPE kelvin_wait_seconds histogram\n"
            "kelvin_wait_seconds_bucket{app=\"x\",le=\"0.001\"} 2\n"
            "kelvin_wait_seconds_bucket{app=\"x\",le=\"0.01\"} 5\n"
            "kelvin_wait_seconds_bucket{app=\"x\",le=\"+Inf\"} 6\n"
            "kelvin_wait_seconds_sum{app=\"x\"} 0.25\n"
            "kelvin_wait_seconds_count{app=\"x\"} 6\n");
}

}  // namespace
}  // namespace kelvin::obs
