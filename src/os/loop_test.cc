#include "os/loop.h"

#include <gtest/gtest.h>

#include "os/clock.h"
#include "os/tcp.h"
#include "os/thread.h"

namespace kelvin::os {
namespace {

TEST(Loop, RunsTimersInOrderAndPostedTasks) {
  auto loop = Loop::create().value();
  std::string seen;
  loop->at(boot_now() + 2ms, [&] {
    seen += "b";
    loop->stop();
  });
  loop->at(boot_now() + 1ms, [&] { seen += "a"; });
  const auto cancelled = loop->at(boot_now() + 1ms, [&] { seen += "x"; });
  loop->cancel(cancelled);
  loop->post([&] { seen += "p"; });
  loop->run();
  EXPECT_EQ(seen, "pab");
}

TEST(Loop, IsWokenByAnotherThread) {
  auto loop = Loop::create().value();
  const Thread other("post", [&] { loop->post([&] { loop->stop(); }); });
  loop->run();
}

TEST(Loop, LetsAWatchRemoveItself) {
  auto loop = Loop::create().value();
  auto event = EventFd::create().value();
  int calls = 0;
  Loop::WatchId id = 0;
  id = loop->watch(event.fd(), EPOLLIN,
                   [&](std::uint32_t) {
                     ++calls;
                     loop->unwatch(id);
                   })
           .value();
  event.signal();
  loop->run_once(boot_now() + 1s);
  loop->run_once(boot_now());
  EXPECT_EQ(calls, 1);
}

TEST(Tcp, ListensAndConnectsOnLoopback) {
  auto listener = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(listener);
  const std::uint16_t port = local_port(listener->get()).value();
  EXPECT_EQ(listen_tcp("127.0.0.1:" + std::to_string(port)).error().code, Code::Conflict);
  auto client = begin_connect_loopback(port);
  ASSERT_TRUE(client);
  auto loop = Loop::create().value();
  int outcome = -1;
  ASSERT_TRUE(loop->watch(client->get(), EPOLLOUT,
                          [&](std::uint32_t) { outcome = connect_outcome(client->get()); }));
  loop->run_once(boot_now() + 10s);
  EXPECT_EQ(outcome, 0);
}

TEST(Tcp, RefusesWhatIsNoAddress) {
  for (const char* text :
       {"", "127.0.0.1", "127.0.0.1:x", "example.org:80", "127.0.0.1:70000", "[::g]:1"}) {
    EXPECT_EQ(listen_tcp(text).error().code, Code::Invalid) << text;
  }
}

}  // namespace
}  // namespace kelvin::os
