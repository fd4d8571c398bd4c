// Tests of what is counted per app.
#include "gateway/app_series.h"

#include <gtest/gtest.h>

#include "gateway/request_facts.h"

namespace kelvin::gateway {
namespace {

const HeadNote kHead;

RequestFacts facts_of(int status, Ending ending, Duration time) {
  static const AppRoute app;
  return {.head = &kHead,
          .app = &app,
          .route = RouteLabel::Proxy,
          .status = status,
          .ending = ending,
          .arrived = {1'000'000'000},
          .dispatched = {1'000'000'000},
          .first_byte_read = Instant{1'000'000'000} + time,
          .ended = Instant{1'000'000'000} + time,
          .request_bytes = 10,
          .reply_bytes = 100};
}

TEST(Times, ABoundBelongsToItsBucket) {
  Times times;
  times.note(500us);
  times.note(500us + 1ns);
  times.note(300s);
  times.note(301s);
  times.note(-1s);
  TimesSnapshot sum;
  times.add_to(sum);
  EXPECT_EQ(sum.counts[0], 2u) << "0.5 ms, and what a clock made negative";
  EXPECT_EQ(sum.counts[1], 1u);
  EXPECT_EQ(sum.counts[kTimeBounds.size() - 1], 1u);
  EXPECT_EQ(sum.counts[kTimeBounds.size()], 1u);
  EXPECT_EQ(sum.count(), 5u);
  EXPECT_EQ(sum.sum_ns, 601'001'000'001u);
}

TEST(AppSeries, AddsUpWhatTheLoopsCounted) {
  AppSeries series("default", "gemma");
  series.note(0, facts_of(200, Ending::Replied, 2ms));
  series.note(15, facts_of(503, Ending::Answered, 0ms));
  series.note(15, facts_of(500, Ending::Replied, 1ms));
  series.note(3, facts_of(200, Ending::Broken, 1ms));
  series.note(3, facts_of(kClientLeftStatus, Ending::ClientLeft, 1ms));
  RequestFacts models = facts_of(200, Ending::Answered, 1ms);
  models.route = RouteLabel::Models;
  series.note(0, models);

  const AppSnapshot sum = series.read();
  EXPECT_EQ(sum.workspace + "/" + sum.app, "default/gemma");
  const RouteSnapshot& proxy = sum.routes[static_cast<std::size_t>(RouteLabel::Proxy)];
  EXPECT_EQ(proxy.by_class, (std::array<std::uint64_t, 6>{1, 0, 2, 0, 0, 2}));
  EXPECT_EQ(proxy.errors, (std::array<std::uint64_t, 4>{1, 1, 1, 1}));
  EXPECT_EQ(proxy.duration.count(), 5u);
  EXPECT_EQ(sum.routes[static_cast<std::size_t>(RouteLabel::Models)].by_class[2], 1u);
  EXPECT_EQ(sum.request_bytes, 60u);
  EXPECT_EQ(sum.reply_bytes, 600u);
  EXPECT_EQ(sum.queue_wait.count(), 6u);
  EXPECT_EQ(sum.from_cold.count() + sum.from_parked.count(), 0u);
}

TEST(AppSeries, ColdStartsAreTimedByWhatWasWoken) {
  AppSeries series("default", "gemma");
  RequestFacts facts = facts_of(200, Ending::Replied, 3s);
  facts.dispatched = facts.arrived + 2s;
  facts.woke_from = model::Temperature::Cold;
  series.note(0, facts);
  facts.woke_from = model::Temperature::Parked;
  series.note(0, facts);
  facts.first_byte_read = {};  // it never answered
  series.note(0, facts);
  const AppSnapshot sum = series.read();
  EXPECT_EQ(sum.from_cold.count(), 1u);
  EXPECT_EQ(sum.from_cold.sum_ns, 3'000'000'000u);
  EXPECT_EQ(sum.from_parked.count(), 1u);
  EXPECT_EQ(sum.queue_wait.sum_ns, 6'000'000'000u);
}

TEST(AppSeries, ARefusalThatNeverWaitedSaysNothingOfTheQueue) {
  AppSeries series("default", "gemma");
  RequestFacts facts = facts_of(429, Ending::Answered, 0ms);
  facts.dispatched = {};
  series.note(0, facts);
  EXPECT_EQ(series.read().queue_wait.count(), 0u);
}

std::vector<std::string> names_of(const std::vector<AppSnapshot>& all) {
  std::vector<std::string> names;
  for (const AppSnapshot& one : all) names.push_back(one.workspace + "/" + one.app);
  return names;
}

TEST(SeriesBook, WhatComesLateCountsWithTheOthers) {
  SeriesBook book({.apps_max = 2});
  const auto a = book.ensure("default", "a", {1});
  const auto b = book.ensure("default", "b", {1});
  const auto c = book.ensure("default", "c", {1});
  const auto d = book.ensure("default", "d", {1});
  EXPECT_EQ(book.ensure("default", "a", {1}), a);
  EXPECT_EQ(c, d);
  EXPECT_EQ(c->read().app, kOtherApps);
  EXPECT_EQ(names_of(book.read({2})),
            (std::vector<std::string>{"/_none", "/_other", "default/a", "default/b"}));
}

TEST(SeriesBook, ADeletedAppIsForgottenAfterAWhileAndMakesRoom) {
  SeriesBook book({.apps_max = 1, .gone_time = 10s});
  const auto a = book.ensure("default", "a", {0});
  a->note(0, facts_of(200, Ending::Replied, 1ms));
  book.note_gone("default", "a", {0});
  EXPECT_EQ(book.read(Instant{} + 9s).size(), 3u);
  EXPECT_EQ(book.ensure("default", "b", Instant{} + 9s)->read().app, kOtherApps);
  EXPECT_EQ(book.ensure("default", "b", Instant{} + 10s)->read().app, "b");
  EXPECT_EQ(names_of(book.read(Instant{} + 10s)),
            (std::vector<std::string>{"/_none", "/_other", "default/b"}));
  a->note(0, facts_of(200, Ending::Replied, 1ms));  // whoever still holds it may count on
}

TEST(SeriesBook, AnAppThatComesAgainGoesOnCounting) {
  SeriesBook book({.gone_time = 10s});
  const auto first = book.ensure("default", "a", {0});
  book.note_gone("default", "a", {0});
  EXPECT_EQ(book.ensure("default", "a", Instant{} + 5s), first);
  EXPECT_EQ(book.read(Instant{} + 60s).size(), 3u);
}

}  // namespace
}  // namespace kelvin::gateway
