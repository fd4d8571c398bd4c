// Tests of requests as spans, and of the sender's patience.
#include "gateway/spans.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/span_sender.h"
#include "model/ids.h"

namespace kelvin::gateway {
namespace {

std::string text_of(const obs::Span& span, std::string_view name) {
  for (const obs::SpanAttribute& one : span.attributes)
    if (one.name == name) {
      if (const auto* number = std::get_if<std::int64_t>(&one.value))
        return std::to_string(*number);
      return std::get<std::string>(one.value);
    }
  return "absent";
}

RequestRecord cold_record() {
  static AppRoute app;
  app.route.name = "gemma";
  HeadNote head;
  head.method.assign("POST");
  head.path.assign("/v1/chat/completions?secret=1");
  head.trace = {.trace = {1}, .parent = {2}, .span = {3}, .flags = kTraceSampled};
  static const std::vector<model::StageTime> stages = {
      {model::Phase::Queue, 1ms}, {model::Phase::Start, 2ms}, {model::Phase::Load, 3ms}};
  RequestRecord record;
  record.assign({.id = model::make_request_id(1, 0, 7),
                 .head = &head,
                 .app = &app,
                 .route = RouteLabel::ChatCompletions,
                 .replica = model::make_replica_id(3, 17),
                 .revision = 2,
                 .status = 200,
                 .woke_from = model::Temperature::Cold,
                 .stages = stages,
                 .arrived = {0},
                 .dispatched = {6'000'000},
                 .first_byte_sent = {6'500'000},
                 .first_byte_read = {8'000'000},
                 .last_byte_read = {10'000'000},
                 .ended = {10'000'000}});
  return record;
}

TEST(Spans, AColdRequestShowsItsStages) {
  TraceIds ids({1}, {2});
  const auto spans = spans_of(cold_record(), 1'000'000'000, ids);
  ASSERT_EQ(spans.size(), 5u);
  const obs::Span& server = spans[0];
  EXPECT_EQ(server.name, "POST v1/chat/completions");
  EXPECT_EQ(server.kind, obs::SpanKind::Server);
  EXPECT_EQ(server.id[0], 3);
  EXPECT_EQ(server.parent[0], 2);
  EXPECT_EQ(server.start_unix_ns, 990'000'000);
  EXPECT_EQ(server.end_unix_ns, 1'000'000'000);
  EXPECT_EQ(server.status, obs::SpanStatus::Unset);
  EXPECT_EQ(text_of(server, "http.request.method"), "POST");
  EXPECT_EQ(text_of(server, "url.path"), "/v1/chat/completions");
  EXPECT_EQ(text_of(server, "http.response.status_code"), "200");
  EXPECT_EQ(text_of(server, "network.protocol.version"), "1.1");
  EXPECT_EQ(text_of(server, "kelvin.app"), "gemma");
  EXPECT_EQ(text_of(server, "kelvin.replica"), "r3-17");
  EXPECT_EQ(text_of(server, "kelvin.woke_from"), "cold");
  const char* names[] = {"queue", "start", "load", "ttfb"};
  const std::int64_t starts[] = {990'000'000, 991'000'000, 993'000'000, 996'500'000};
  const std::int64_t ends[] = {991'000'000, 993'000'000, 996'000'000, 998'000'000};
  for (std::size_t i = 0; i < 4; ++i) {
    const obs::Span& stage = spans[i + 1];
    EXPECT_EQ(stage.name, names[i]);
    EXPECT_EQ(stage.start_unix_ns, starts[i]) << stage.name;
    EXPECT_EQ(stage.end_unix_ns, ends[i]) << stage.name;
    EXPECT_EQ(stage.parent, server.id);
    EXPECT_EQ(stage.trace, server.trace);
    EXPECT_NE(stage.id, server.id);
  }
}

TEST(Spans, ARefusalAfterWaitingIsAnErrorWithItsQueue) {
  RequestRecord record = cold_record();
  record.replica = {};
  record.stage_count = 0;
  record.status = 503;
  record.ending = Ending::Answered;
  record.code.assign("queue_timeout");
  record.first_byte_sent = record.first_byte_read = {};
  TraceIds ids({1}, {2});
  const auto spans = spans_of(record, 1'000'000'000, ids);
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].status, obs::SpanStatus::Error);
  EXPECT_EQ(text_of(spans[0], "error.type"), "queue_timeout");
  EXPECT_EQ(text_of(spans[0], "kelvin.replica"), "absent");
  EXPECT_EQ(spans[1].name, "queue");
}

TEST(SpanSender, WaitsLongerAfterEachTryAndNeverTooLong) {
  const TraceOptions options;
  EXPECT_EQ(retry_delay(1, {}, options), Duration(1s));
  EXPECT_EQ(retry_delay(2, {}, options), Duration(2s));
  EXPECT_EQ(retry_delay(5, {}, options), Duration(16s));
  EXPECT_EQ(retry_delay(6, {}, options), Duration(30s));
  EXPECT_EQ(retry_delay(4'000'000'000, {}, options), Duration(30s));
  EXPECT_EQ(retry_delay(1, 7s, options), Duration(7s));
  EXPECT_EQ(retry_delay(1, 3600s, options), Duration(30s));
}

}  // namespace
}  // namespace kelvin::gateway
