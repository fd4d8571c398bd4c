#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/event_fd.h"
#include "os/files.h"
#include "os/hash.h"
#include "os/pidfd.h"
#include "os/signal_fd.h"
#include "os/thread.h"
#include "os/timer_fd.h"
#include "os/unix_socket.h"

namespace kelvin::os {
namespace {

bool becomes_readable(int fd) {
  auto epoll = Epoll::create();
  std::array<epoll_event, 1> events{};
  return epoll->add(fd, EPOLLIN, 9) && !epoll->wait(events, 10s).empty() && events[0].data.u64 == 9;
}

TEST(Epoll, ComesBackAfterItsTimeout) {
  auto epoll = Epoll::create();
  std::array<epoll_event, 4> events{};
  const Instant before = boot_now();
  EXPECT_TRUE(epoll->wait(events, 2ms).empty());
  EXPECT_GE(boot_now() - before, 2ms);
}

TEST(EventFd, CountsSignalsUntilDrained) {
  auto event = EventFd::create();
  EXPECT_EQ(event->drain(), 0U);
  event->signal();
  event->signal();
  EXPECT_TRUE(becomes_readable(event->fd()));
  EXPECT_EQ(event->drain(), 2U);
}

TEST(TimerFd, FiresAtAMomentThatHasPassed) {
  auto timer = TimerFd::create();
  timer->set(boot_now() - 1s);
  EXPECT_TRUE(becomes_readable(timer->fd()));
  timer->drain();
  timer->set(Instant::never());
}

TEST(SignalFd, ReceivesABlockedSignal) {
  auto signals = SignalFd::create({SIGUSR1});
  EXPECT_FALSE(signals->read());
  ::pthread_kill(::pthread_self(), SIGUSR1);
  EXPECT_EQ(signals->read(), SIGUSR1);
}

TEST(Thread, RunsItsBodyUnderItsName) {
  std::string name;
  {
    const Thread thread("kelvin-a-long-name", [&] {
      std::array<char, 32> text{};
      pthread_getname_np(pthread_self(), text.data(), text.size());
      name = text.data();
    });
  }
  EXPECT_EQ(name, "kelvin-a-long-n");
}

TEST(Pidfd, TellsHowAChildEnded) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(7);
  auto pidfd = Pidfd::open(child);
  ASSERT_TRUE(pidfd);
  ASSERT_TRUE(becomes_readable(pidfd->fd()));
  const ExitStatus expected{.code = 7};
  EXPECT_EQ(pidfd->exit_status(Pidfd::Reap::KeepZombie).value(), expected);
  EXPECT_EQ(pidfd->exit_status(Pidfd::Reap::Yes).value(), expected);
  EXPECT_FALSE(pidfd->exit_status(Pidfd::Reap::Yes));
}

TEST(Pidfd, TellsTheSignal) {
  const pid_t child = ::fork();
  if (child == 0) {
    while (true) ::pause();
  }
  auto pidfd = Pidfd::open(child);
  ASSERT_TRUE(pidfd);
  EXPECT_FALSE(pidfd->exit_status(Pidfd::Reap::Yes).value());
  ASSERT_TRUE(pidfd->signal(SIGKILL));
  ASSERT_TRUE(becomes_readable(pidfd->fd()));
  EXPECT_EQ(pidfd->exit_status(Pidfd::Reap::Yes).value(),
            (ExitStatus{.by_signal = true, .code = SIGKILL}));
}

TEST(UnixSocket, CarriesBytesAndDescriptors) {
  const auto folder = *TempDir::create("kelvin-socket");
  const std::string path = folder.path() + "/s";
  EXPECT_FALSE(connect_unix(path));
  auto listener = listen_unix(path);
  ASSERT_TRUE(listener);
  auto client = connect_unix(path);
  ASSERT_TRUE(client);
  auto server = accept_unix(listener->get());
  ASSERT_TRUE(server && *server);
  EXPECT_EQ(peer_uid((*server)->get()).value(), ::getuid());

  auto event = EventFd::create();
  const int passed = event->fd();
  EXPECT_FALSE(receive_datagram((*server)->get()).value());
  ASSERT_TRUE(send_datagram(client->get(), "hello", {&passed, 1}));
  auto received = receive_datagram((*server)->get());
  ASSERT_TRUE(received && *received);
  EXPECT_EQ((*received)->bytes, "hello");
  ASSERT_EQ((*received)->fds.size(), 1U);
  const std::uint64_t one = 1;
  EXPECT_EQ(::write((*received)->fds[0].get(), &one, sizeof one), 8);
  EXPECT_EQ(event->drain(), 1U);

  client->reset();
  received = receive_datagram((*server)->get());
  ASSERT_TRUE(received && *received);
  EXPECT_TRUE((*received)->bytes.empty()) << "an empty datagram says that the other end has closed";
}

TEST(UnixSocket, RefusesWhatIsTooLong) {
  auto pair = unix_pair();
  EXPECT_EQ(send_datagram(pair->first.get(), std::string(kDatagramBytesMax + 1, 'x')).error().code,
            Code::Invalid);
  EXPECT_TRUE(send_datagram(pair->first.get(), std::string(kDatagramBytesMax, 'x')));
  EXPECT_EQ(receive_datagram(pair->second.get()).value()->bytes.size(), kDatagramBytesMax);
  EXPECT_EQ(listen_unix("/tmp/" + std::string(120, 'x')).error().code, Code::Invalid);
}

// Vectors of FIPS 180-2, appendix B.
TEST(Hash, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  hash.update("abcdbcdecdefdefgefghfghighijhi");
  hash.update("jkijkljklmklmnlmnomnopnopq");
  EXPECT_EQ(hash.finish_hex(), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  hash.update("abc");
  EXPECT_EQ(hash.finish_hex(), sha256_hex("abc")) << "it starts afresh";
}

TEST(Hash, RandomBytesDiffer) {
  std::array<std::byte, 32> a{};
  std::array<std::byte, 32> b{};
  fill_random(a);
  fill_random(b);
  EXPECT_NE(to_hex(a), to_hex(b));
}

TEST(Clock, TurnsMomentsIntoWallTime) {
  const Instant at = boot_now();
  EXPECT_NEAR(static_cast<double>(unix_ns_at(at) - unix_now_ns()), 0.0, 1e9);
}

}  // namespace
}  // namespace kelvin::os
