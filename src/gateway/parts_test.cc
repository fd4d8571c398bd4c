// Tests of the parts: destinations, keys, busy time, the pipe, timers, routes.
#include <gtest/gtest.h>
#include <openssl/sha.h>
#include <sys/socket.h>

#include <array>
#include <csignal>

#include "gateway/busy.h"
#include "gateway/destination.h"
#include "gateway/keys.h"
#include "gateway/pipe.h"
#include "gateway/routes.h"
#include "gateway/timers.h"

namespace kelvin::gateway {
namespace {

TEST(Destination, IsFoundByHostBeforePath) {
  const std::vector<std::string> own = {"box.lan"};
  const auto to = [&](std::string_view host, std::string_view path) {
    return find_destination(host, path, own);
  };
  EXPECT_EQ(to("gemma.localhost:1", "/v1/models").surface, Surface::App);
  EXPECT_EQ(to("gemma.localhost:1", "/v1/models").name, "gemma");
  EXPECT_EQ(to("Gemma.LOCALHOST.", "/api").name, "gemma");
  EXPECT_EQ(to("gemma.lab.localhost", "/").workspace, "lab");
  EXPECT_EQ(to("a.b.c.localhost", "/").surface, Surface::Nowhere);
  EXPECT_EQ(to(".localhost", "/").surface, Surface::ForeignHost);
  EXPECT_EQ(to("localhost", "/v1/chat").surface, Surface::OpenAi);
  EXPECT_EQ(to("localhost", "/v1").surface, Surface::OpenAi);
  EXPECT_EQ(to("localhost", "/v1x").surface, Surface::Nowhere);
  EXPECT_EQ(to("[::1]:5", "/api/v1/apps").surface, Surface::Management);
  EXPECT_EQ(to("10.1.2.3", "/metrics?x").surface, Surface::Management);
  EXPECT_EQ(to("", "/healthz").surface, Surface::Management);
  EXPECT_EQ(to("evil.example", "/api/v1/apps").surface, Surface::Management)
      << "which refuses it itself";
  EXPECT_EQ(to("evil.example", "/apps/x/").surface, Surface::ForeignHost);
  EXPECT_EQ(to("evil.example", "/v1/models").surface, Surface::ForeignHost);
  EXPECT_EQ(to("BOX.lan:80", "/v1/models").surface, Surface::OpenAi);
  EXPECT_EQ(to("localhost", "/").surface, Surface::Nowhere);
  EXPECT_EQ(to("localhost", "*").surface, Surface::Nowhere);
}

TEST(Destination, TakesThePrefixOff) {
  const std::string path = "/apps/gemma/x?y";
  const Destination to = find_destination("localhost", path, {});
  EXPECT_EQ(to.name, "gemma");
  EXPECT_EQ(to.path, "/x?y");
  EXPECT_EQ(to.prefix, "/apps/gemma");
  const Destination second = in_workspace(to);
  EXPECT_EQ(second.workspace, "gemma");
  EXPECT_EQ(second.name, "x");
  EXPECT_EQ(second.path, "?y");
  EXPECT_EQ(second.prefix, "/apps/gemma/x");
  EXPECT_EQ(in_workspace(second).surface, Surface::Nowhere);
  EXPECT_EQ(find_destination("localhost", "/apps/", {}).surface, Surface::Nowhere);
  EXPECT_EQ(find_destination("localhost", "/apps", {}).surface, Surface::Nowhere);
  EXPECT_EQ(find_destination("localhost", "/apps/a", {}).path, "");
}

TEST(Keys, AreKnownByTheirWholeText) {
  auto keys = std::make_shared<std::vector<model::Key>>();
  const std::string text = "kv_abcdefgh_secret";
  model::Key key{.id = {7}, .prefix = "abcdefgh", .scopes = {.invoke = true}};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.hash.data());
  keys->push_back(key);
  const KeyRing ring(keys);
  EXPECT_EQ(judge_bearer(ring, bearer_of("Bearer " + text)).key->id, KeyId{7});
  EXPECT_EQ(judge_bearer(ring, bearer_of("bearer   " + text)).presented, admit::Presented::Known);
  EXPECT_EQ(judge_bearer(ring, text + "x").presented, admit::Presented::Unknown);
  EXPECT_EQ(judge_bearer(ring, "kv_").presented, admit::Presented::Unknown);
  EXPECT_EQ(judge_bearer(ring, "sk-x").presented, admit::Presented::NotOurs);
  EXPECT_EQ(judge_bearer(ring, bearer_of("Basic xyz")).presented, admit::Presented::Nothing);
  EXPECT_EQ(judge_bearer(ring, bearer_of("Bearer ")).presented, admit::Presented::Nothing);
}

TEST(BusyBook, MergesOverlapsAndCutsAtReports) {
  BusyBook book;
  const ReplicaId one{1};
  EXPECT_FALSE(book.has_something());
  book.begin(one, {100});
  book.begin(one, {150});
  book.end(one, {200}, {.is_answered = true});
  model::BusyMeasured report = book.report(3, {250});
  EXPECT_EQ(report.loop, 3u);
  EXPECT_EQ(report.complete_up_to, Instant{250});
  ASSERT_EQ(report.entries.size(), 1u);
  EXPECT_EQ(report.entries[0].spans, (std::vector<Span>{{{100}, {250}}}));
  EXPECT_EQ(report.entries[0].request_time, Duration(200));
  EXPECT_EQ(report.entries[0].answered, 1u);
  book.end(one, {300}, {.is_answered = false});
  book.begin(one, {310});
  book.end(one, {310}, {.is_answered = true});
  book.begin(one, {320});
  book.end(one, {330}, {.is_answered = true});
  report = book.report(3, {400});
  ASSERT_EQ(report.entries.size(), 1u);
  EXPECT_EQ(report.entries[0].spans, (std::vector<Span>{{{250}, {300}}, {{320}, {330}}}));
  EXPECT_EQ(report.entries[0].request_time, Duration(60));
  EXPECT_EQ(report.entries[0].answered, 2u);
  EXPECT_FALSE(book.has_something());
  EXPECT_TRUE(book.report(3, {500}).entries.empty());
}

TEST(Pipe, KeepsWhatASocketDoesNotTake) {
  SocketPair from = make_socket_pair().value();
  SocketPair to = make_socket_pair().value();
  SplicePipe pipe = SplicePipe::make().value();
  std::string arrived;
  std::string rest;
  std::string said;
  const auto take = [&] {
    std::array<char, 4096> some{};
    ssize_t got = 0;
    while ((got = ::recv(to.theirs.get(), some.data(), some.size(), 0)) > 0)
      arrived.append(some.data(), static_cast<std::size_t>(got));
  };
  while (rest.empty()) {
    const std::string part(3000, static_cast<char>('a' + said.size() / 3000 % 26));
    ASSERT_EQ(::send(from.theirs.get(), part.data(), part.size(), 0), 3000);
    said += part;
    EXPECT_EQ(pipe.fill(from.ours.get(), 1 << 20U).bytes, 3000U);
    const Sent sent = pipe.drain(to.ours.get(), rest);
    EXPECT_EQ(sent.io, rest.empty() ? Io::Done : Io::Blocked);
    EXPECT_EQ(pipe.bytes(), 0U);
  }
  take();
  EXPECT_EQ(arrived + rest, said);
}

TEST(Pipe, SaysThatNothingHasComeAndThatTheEndHas) {
  SocketPair from = make_socket_pair().value();
  SplicePipe pipe = SplicePipe::make().value();
  EXPECT_EQ(pipe.fill(from.ours.get(), 100).io, Io::Blocked);
  from.theirs.reset();
  EXPECT_EQ(pipe.fill(from.ours.get(), 100).io, Io::Ended);
}

TEST(Pipe, EmptiesItselfForAClientThatHasGone) {
  SocketPair from = make_socket_pair().value();
  SocketPair to = make_socket_pair().value();
  SplicePipe pipe = SplicePipe::make().value();
  ASSERT_EQ(::send(from.theirs.get(), "gone", 4, 0), 4);
  EXPECT_EQ(pipe.fill(from.ours.get(), 100).bytes, 4U);
  to.theirs.reset();
  std::signal(SIGPIPE, SIG_IGN);  // loops block all signals
  std::string rest;
  EXPECT_EQ(pipe.drain(to.ours.get(), rest).io, Io::Broken);
  EXPECT_EQ(rest, "gone");
  EXPECT_EQ(pipe.bytes(), 0U);
}

TEST(Timers, FireInTheirTickAndNeverEarly) {
  const Instant start{5'000'000'000};
  TimerWheel wheel(start);
  EXPECT_EQ(wheel.next_look(), Instant::never());
  Timer soon;
  Timer late;
  wheel.set(soon, start + 100ms);
  wheel.set(late, start + 60s);
  EXPECT_EQ(wheel.take_due(start + 99ms), nullptr);
  EXPECT_GE(wheel.next_look(), start + 100ms);
  EXPECT_LE(wheel.next_look(), start + 117ms);
  EXPECT_EQ(wheel.take_due(start + 117ms), &soon);
  EXPECT_FALSE(soon.is_set());
  // A turn of the wheel takes 17 s: the later one is looked at before its time, and stays.
  Instant now = start + 117ms;
  while (now < start + 60s) {
    EXPECT_EQ(wheel.take_due(now), nullptr) << now.ns;
    ASSERT_NE(wheel.next_look(), Instant::never());
    now = std::max(now + 1ns, wheel.next_look());
  }
  EXPECT_EQ(wheel.take_due(start + 61s), &late);
}

TEST(Timers, CanBeMovedAndDropped) {
  const Instant start{1};
  TimerWheel wheel(start);
  Timer timer;
  wheel.set(timer, start + 1s);
  wheel.set(timer, start + 5s);
  EXPECT_EQ(wheel.take_due(start + 2s), nullptr);
  timer.drop();
  EXPECT_EQ(wheel.take_due(start + 100s), nullptr);
  EXPECT_EQ(wheel.next_look(), Instant::never());
  wheel.set(timer, start);
  EXPECT_EQ(wheel.take_due(start + 101s), &timer) << "a deadline in the past";
  {
    Timer gone;
    wheel.set(gone, start + 102s);
  }
  EXPECT_EQ(wheel.take_due(start + 200s), nullptr);
}

std::shared_ptr<const AppRoute> entry(std::uint64_t id, const std::string& name,
                                      bool is_gone = false) {
  auto made = std::make_shared<AppRoute>();
  made->route = {.app = {id}, .name = name, .is_gone = is_gone};
  return made;
}

TEST(Routes, ForgetWhatIsGoneOnly) {
  RouteTable table;
  EXPECT_EQ(table.change(entry(1, "a")), nullptr);
  EXPECT_NE(table.change(entry(1, "a")), nullptr);
  EXPECT_NE(table.find("", "a"), nullptr);
  EXPECT_NE(table.find("default", "a"), nullptr);
  EXPECT_EQ(table.find("other", "a"), nullptr);
  // Another app takes the name before the first one's end is told.
  table.change(entry(2, "a"));
  table.change(entry(1, "a", true));
  ASSERT_NE(table.find("", "a"), nullptr);
  EXPECT_EQ(table.find("", "a")->route.app, AppId{2});
  table.change(entry(2, "a", true));
  EXPECT_EQ(table.find("", "a"), nullptr);
  EXPECT_TRUE(table.all().empty());
}

}  // namespace
}  // namespace kelvin::gateway
