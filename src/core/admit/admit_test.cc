// admit: who enters, who waits, who is refused and with which words.
#include "core/admit/admit.h"

#include <gtest/gtest.h>

namespace kelvin::admit {
namespace {

model::Route tiny_route() {
  return {.app = {1},
          .name = "tiny",
          .replicas = {{.id = {1}}},
          .queue = {.requests_max = 2, .wait = 60s},
          .cors = {"https://chat.example"}};
}

struct Asked {
  model::Route route = tiny_route();
  Question question{.caller = {.workspace = "default", .host = "tiny.localhost:27315"},
                    .name = "tiny"};

  Answer answer() {
    if (question.route == nullptr) question.route = &route;
    return admit(question);
  }
};

TEST(Admit, AFreeAppIsEntered) {
  Asked asked;
  const Answer answer = asked.answer();
  EXPECT_EQ(answer.verdict, Verdict::Enter);
  EXPECT_FALSE(answer.takes_key);
  EXPECT_FALSE(answer.is_cross_origin);
}

TEST(Admit, KeysAreJudgedByTheTable) {
  struct Row {
    Surface surface;
    bool is_on_loopback;
    Presented presented;
    model::Scopes scopes;
    int status;  // 0: enters
  };
  const Row rows[] = {
      {Surface::App, true, Presented::Nothing, {}, 0},
      {Surface::App, true, Presented::NotOurs, {}, 0},
      {Surface::App, true, Presented::Unknown, {}, 401},
      {Surface::App, true, Presented::Known, {.invoke = true}, 0},
      {Surface::App, true, Presented::Known, {.admin = true}, 0},
      {Surface::App, true, Presented::Known, {}, 403},
      {Surface::App, false, Presented::Nothing, {}, 401},
      {Surface::App, false, Presented::NotOurs, {}, 401},
      {Surface::App, false, Presented::Unknown, {}, 401},
      {Surface::App, false, Presented::Known, {.invoke = true}, 0},
      {Surface::OpenAi, true, Presented::Nothing, {}, 0},
      {Surface::OpenAi, true, Presented::NotOurs, {}, 401},
      {Surface::OpenAi, true, Presented::Unknown, {}, 401},
      {Surface::OpenAi, true, Presented::Known, {.invoke = true}, 0},
      {Surface::OpenAi, true, Presented::Known, {}, 403},
      {Surface::OpenAi, false, Presented::Nothing, {}, 401},
  };
  for (const Row& row : rows) {
    Asked asked;
    asked.question.surface = row.surface;
    asked.question.caller.is_on_loopback = row.is_on_loopback;
    asked.question.caller.presented = row.presented;
    asked.question.caller.scopes = row.scopes;
    const Answer answer = asked.answer();
    EXPECT_EQ(answer.refusal.status, row.status) << "row " << (&row - rows);
    EXPECT_EQ(answer.verdict, row.status == 0 ? Verdict::Enter : Verdict::Refuse);
    if (row.status == 401 && row.surface == Surface::OpenAi)
      EXPECT_EQ(answer.refusal.code, "invalid_api_key");
  }
}

TEST(Admit, OnlyOurKeysAreTakenFromTheRequest) {
  Asked asked;
  asked.question.caller.presented = Presented::NotOurs;
  EXPECT_FALSE(asked.answer().takes_key);
  asked.question.caller.presented = Presented::Known;
  asked.question.caller.scopes.invoke = true;
  EXPECT_TRUE(asked.answer().takes_key);
}

TEST(Admit, AStrangerLearnsNothingAboutApps) {
  Asked asked;
  asked.question.caller.presented = Presented::Unknown;
  asked.route.is_gone = true;
  EXPECT_EQ(asked.answer().refusal.status, 401);
}

TEST(Admit, AnotherWorkspacesAppDoesNotExist) {
  Asked asked;
  asked.question.caller.presented = Presented::Known;
  asked.question.caller.scopes.invoke = true;
  asked.question.caller.workspace = "other";
  EXPECT_EQ(asked.answer().refusal.code, "app_not_found");
}

TEST(Admit, UnknownNamesAreNamed) {
  Asked asked;
  asked.route.is_gone = true;
  asked.question.name = "tyny";
  EXPECT_EQ(asked.answer().refusal.status, 404);
  EXPECT_EQ(asked.answer().refusal.code, "app_not_found");
  EXPECT_NE(asked.answer().refusal.sentence.find("'tyny'"), std::string::npos);
  asked.question.surface = Surface::OpenAi;
  EXPECT_EQ(asked.answer().refusal.code, "model_not_found");
  const std::string long_name(5000, 'x');
  asked.question.name = long_name;
  EXPECT_LT(asked.answer().refusal.sentence.size(), 300u);
}

TEST(Admit, ForeignPagesNeedTheAppsConsent) {
  Asked asked;
  asked.question.caller.origin = "http://tiny.localhost:27315";
  EXPECT_EQ(asked.answer().verdict, Verdict::Enter);
  EXPECT_FALSE(asked.answer().is_cross_origin);
  asked.question.caller.origin = "https://chat.example";
  EXPECT_EQ(asked.answer().verdict, Verdict::Enter);
  EXPECT_TRUE(asked.answer().is_cross_origin);
  for (const char* origin :
       {"https://evil.example", "null", "http://other.localhost:27315", "http://tiny.localhost"}) {
    asked.question.caller.origin = origin;
    EXPECT_EQ(asked.answer().refusal.status, 403) << origin;
    EXPECT_EQ(asked.answer().refusal.code, "origin_refused");
  }
  asked.route.cors = {"*"};
  EXPECT_EQ(asked.answer().verdict, Verdict::Enter);
}

TEST(Admit, BodiesHaveALimitAndABudget) {
  Asked asked;
  asked.question.body_bytes = 33;
  asked.question.body_max = {32};
  EXPECT_EQ(asked.answer().refusal.status, 413);
  asked.question.body_max = {64};
  asked.question.body_room = {10};
  EXPECT_EQ(asked.answer().refusal.status, 503);
  EXPECT_EQ(asked.answer().refusal.retry_after, Duration(1s));
}

TEST(Admit, OthersWaitingMeansWaiting) {
  Asked asked;
  asked.question.waiting = 1;
  EXPECT_EQ(asked.answer().verdict, Verdict::Wait);
}

TEST(Admit, AFullQueueSaysWhenToComeBack) {
  Asked asked;
  asked.question.waiting = 2;
  Answer answer = asked.answer();
  EXPECT_EQ(answer.refusal.status, 429);
  EXPECT_EQ(answer.refusal.code, "queue_full");
  EXPECT_EQ(answer.refusal.retry_after, Duration(1s));
  asked.route.replicas.clear();
  EXPECT_EQ(asked.answer().refusal.retry_after, Duration(5s))
      << "nothing is ready, so it takes longer";
}

TEST(Admit, AQueueOfLengthZeroRefusesOnlyWhoFoundNoSlot) {
  Asked asked;
  asked.route.queue.requests_max = 0;
  EXPECT_EQ(asked.answer().verdict, Verdict::Enter);
  asked.question.found_no_slot = true;
  EXPECT_EQ(asked.answer().refusal.status, 429);
}

TEST(Admit, WaitingEndsAtItsDeadline) {
  Asked asked;
  asked.question.is_waiting = true;
  asked.question.waiting = 2;
  asked.question.wait_until = Instant{} + 60s;
  asked.question.now = Instant{} + 59s;
  EXPECT_EQ(asked.answer().verdict, Verdict::Wait)
      << "it is in the queue already, however full that is";
  asked.question.now = Instant{} + 60s;
  const Answer answer = asked.answer();
  EXPECT_EQ(answer.refusal.status, 503);
  EXPECT_EQ(answer.refusal.code, "wait_too_long");
  EXPECT_NE(answer.refusal.sentence.find("60 s"), std::string::npos);
}

TEST(Admit, SaysWhenToComeAgainByWhatIsKnownOfTheApp) {
  Asked asked;
  asked.route.queue.requests_max = 30;
  asked.route.replicas = {{.slots = 2}, {.slots = 2}};
  asked.route.service_time = 2s;
  asked.question.waiting = 30;
  EXPECT_EQ(asked.answer().refusal.retry_after, Duration(15s));
  asked.route.replicas.clear();
  asked.route.wake_time = 8200ms;
  EXPECT_EQ(asked.answer().refusal.retry_after, Duration(9s));
}

}  // namespace
}  // namespace kelvin::admit
