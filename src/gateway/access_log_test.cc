// Tests of the access log: which requests it keeps and what it says of them.
#include "gateway/access_log.h"

#include <gtest/gtest.h>

#include "model/ids.h"

namespace kelvin::gateway {
namespace {

RequestFacts quick_facts(const HeadNote& head) {
  return {.id = model::make_request_id(1, 0, 7),
          .head = &head,
          .route = RouteLabel::Proxy,
          .status = 200,
          .arrived = {1'000},
          .dispatched = {1'000},
          .first_byte_sent = {2'000},
          .first_byte_read = {3'000'000},
          .last_byte_read = {4'000'000},
          .ended = {4'000'000}};
}

TEST(AccessLog, KeepsErrorsWakesAndSlowRequestsWhateverTheSample) {
  const HeadNote head;
  const AccessLogOptions none{.sample_ppm = 0, .slow = 1s};
  const RequestFacts quick = quick_facts(head);
  EXPECT_FALSE(is_logged(quick, none));
  const auto with = [&](auto change) {
    RequestFacts facts = quick;
    change(facts);
    return is_logged(facts, none);
  };
  EXPECT_TRUE(with([](RequestFacts& f) { f.status = 502; }));
  EXPECT_TRUE(with([](RequestFacts& f) { f.status = 429; }));
  EXPECT_FALSE(with([](RequestFacts& f) { f.status = 404; }));
  EXPECT_TRUE(with([](RequestFacts& f) { f.ending = Ending::Broken; }));
  EXPECT_TRUE(with([](RequestFacts& f) { f.ending = Ending::ClientLeft; }));
  EXPECT_TRUE(with([](RequestFacts& f) { f.woke_from = model::Temperature::Cold; }));
  EXPECT_TRUE(with([](RequestFacts& f) { f.woke_from = model::Temperature::Parked; }));
  EXPECT_TRUE(with([](RequestFacts& f) { f.first_byte_read = f.arrived + 1s; }));
  EXPECT_FALSE(with([](RequestFacts& f) { f.ended = f.arrived + 60s; })) << "long, but not slow";
}

TEST(AccessLog, KeepsItsShareOfTheRest) {
  const HeadNote head;
  RequestFacts facts = quick_facts(head);
  int kept = 0;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    facts.id = model::make_request_id(3, 1, i);
    kept += is_logged(facts, {.sample_ppm = 100'000}) ? 1 : 0;
    EXPECT_TRUE(is_logged(facts, {}));
  }
  EXPECT_NEAR(kept, 1000, 100);
}

TEST(AccessLog, WritesALineOfJson) {
  AppRoute app;
  app.route.name = "gemma";
  HeadNote head;
  head.method.assign("POST");
  head.path.assign("/v1/chat/completions");
  head.key_prefix.assign("ab12cd34");
  head.trace.trace = {0x0a, 0xf7};
  const std::vector<model::StageTime> stages = {{model::Phase::Queue, 1ms}};
  RequestFacts facts = quick_facts(head);
  facts.app = &app;
  facts.route = RouteLabel::ChatCompletions;
  facts.client_address = "127.0.0.1";
  facts.replica = model::make_replica_id(3, 17);
  facts.revision = 2;
  facts.woke_from = model::Temperature::Cold;
  facts.stages = stages;
  facts.dispatched = {2'501'000};
  facts.request_bytes = 5;
  facts.reply_bytes = 6;
  RequestRecord record;
  record.assign(facts);
  EXPECT_EQ(access_log_line(record, 1'772'366'400'250'001'999),
            "{\"time\":\"2026-03-01T12:00:00.250001Z\",\"request\":\"q1-0-7\",\"app\":\"gemma\","
            "\"workspace\":\"default\",\"revision\":2,\"replica\":\"r3-17\","
            "\"route\":\"v1/chat/completions\",\"method\":\"POST\","
            "\"path\":\"/v1/chat/completions\",\"protocol\":\"HTTP/1.1\",\"tls\":false,"
            "\"status\":200,\"ending\":\"replied\",\"code\":null,\"request_bytes\":5,"
            "\"reply_bytes\":6,\"queue_ms\":2.500,\"ttfb_ms\":2.999,\"total_ms\":3.999,"
            "\"woke_from\":\"cold\",\"key\":\"ab12cd34\",\"client\":\"127.0.0.1\","
            "\"trace\":\"0af70000000000000000000000000000\",\"t_first_byte_sent_ns\":2000,"
            "\"t_last_byte_read_ns\":4000000}\n");
}

TEST(AccessLog, EscapesHidesAndCutsWhatStrangersSend) {
  HeadNote head;
  head.method.assign("GET");
  head.path.assign("/\"\n\xff?token=kv_ab12cd34_" + std::string(43, 'A'));
  RequestRecord record;
  record.assign(quick_facts(head));
  std::string line = access_log_line(record, 0);
  EXPECT_NE(line.find("\"path\":\"/\\\"\\n\xef\xbf\xbd?token=kv_ab12cd34_***\""), std::string::npos)
      << line;
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_NE(line.find("\"app\":null,\"workspace\":null,\"revision\":null,\"replica\":null"),
            std::string::npos);

  // The cut falls inside a character of two bytes, which goes as a whole.
  head.path.assign("/" + std::string(254, 'x') + "\xc3\xa9");
  record.assign(quick_facts(head));
  line = access_log_line(record, 0);
  EXPECT_NE(line.find("xx\",\"path_is_cut\":true"), std::string::npos) << line;
  EXPECT_EQ(record.head.path.view().size(), 255u);
}

}  // namespace
}  // namespace kelvin::gateway
