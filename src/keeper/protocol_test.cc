#include "keeper/protocol.h"

#include <gtest/gtest.h>

namespace kelvin::keeper {
namespace {

TEST(Protocol, CarriesEveryFieldOfAnOrder) {
  const Request sent{.id = 7,
                     .verb = Verb::Spawn,
                     .order = {.replica = "r1-2",
                               .program = "/bin/x",
                               .arguments = {"x", "a b", ""},
                               .environment = {"A=\"1\""},
                               .folder = "/f",
                               .user = os::SpawnUser{.uid = 600'001, .gid = 600'002},
                               .limits = {.memory = 5_MiB, .pids = 9},
                               .log = "/l",
                               .note = "{}"}};
  const auto text = encode(sent);
  ASSERT_TRUE(text);
  const auto got = decode_request(*text);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->id, 7U);
  EXPECT_EQ(got->verb, Verb::Spawn);
  EXPECT_EQ(got->order.replica, "r1-2");
  EXPECT_EQ(got->order.arguments, sent.order.arguments);
  EXPECT_EQ(got->order.environment, sent.order.environment);
  EXPECT_EQ(got->order.user->gid, 600'002U);
  EXPECT_EQ(got->order.limits.memory.count, sent.order.limits.memory.count);
  EXPECT_EQ(got->order.note, "{}");
}

TEST(Protocol, CarriesRecordsAndErrors) {
  Message sent{.id = 3,
               .error = Error{Code::NotFound, Blame::Client, Retry::Never, "no"},
               .pid = 12,
               .has_more = true};
  sent.records.push_back({.replica = "r1-1",
                          .boot = "b",
                          .note = "n",
                          .log = "l",
                          .cgroup = {.unified = "/u", .memory = "/m"},
                          .pid = 99,
                          .start_ticks = 1234,
                          .ended = Ended{.status = os::ExitStatus{.by_signal = true, .code = 9},
                                         .oom = {.kills = 1, .limit_hits = 2},
                                         .at = {5}}});
  sent.records.push_back({.replica = "r1-2", .ended = Ended{}});
  const auto got = decode_message(encode(sent));
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->error->code, Code::NotFound);
  EXPECT_EQ(got->error->what, "no");
  ASSERT_EQ(got->records.size(), 2U);
  EXPECT_EQ(got->records[0].cgroup, sent.records[0].cgroup);
  EXPECT_EQ(got->records[0].ended, sent.records[0].ended);
  EXPECT_EQ(got->records[0].start_ticks, 1234U);
  EXPECT_FALSE(got->records[1].ended->status);
  EXPECT_TRUE(got->has_more);
}

TEST(Protocol, RefusesAnotherVersionByASentence) {
  const auto got = decode_request(R"({"v":2,"id":1,"do":"hello"})");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::Conflict);
  EXPECT_NE(got.error().what.find("different versions (2 and 1)"), std::string::npos);
}

TEST(Protocol, RefusesWhatItCannotRead) {
  for (const char* text : {"", "{", "[]", "{}", R"({"v":1})", R"({"v":1,"id":1,"do":"dance"})",
                           R"({"v":1,"id":1,"do":"spawn"})", R"({"v":"1"})"}) {
    EXPECT_FALSE(decode_request(text)) << text;
  }
}

TEST(Protocol, RefusesAnOrderThatIsTooLong) {
  Request request{.verb = Verb::Spawn};
  request.order.arguments = {std::string(70'000, 'x')};
  const auto text = encode(request);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().blame, Blame::Client);
  request.order.arguments = {"\xff"};
  EXPECT_FALSE(encode(request)) << "not UTF-8";
}

}  // namespace
}  // namespace kelvin::keeper
