#include "takeover/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>

#include "os/clock.h"
#include "takeover/codec.h"

namespace kelvin::takeover {
namespace {

Instant soon() { return os::boot_now() + 10s; }

struct Both {
  Both() {
    auto ends = Channel::pair();
    here = std::move(*Channel::create(std::move(ends->here)));
    there = std::move(*Channel::create(std::move(ends->there)));
  }
  std::unique_ptr<Channel> here;
  std::unique_ptr<Channel> there;
};

// What a started channel has heard.
struct Heard {
  Channel::Ears ears() {
    return {.on_message =
                [this](Received one) {
                  const std::scoped_lock lock(mutex);
                  messages.push_back(std::move(one));
                  changed.notify_all();
                },
            .on_end =
                [this](const Error& error) {
                  const std::scoped_lock lock(mutex);
                  why = error;
                  changed.notify_all();
                }};
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 10s, [&] { return messages.size() >= count; });
  }
  bool wait_for_end() {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 10s, [&] { return why.has_value(); });
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Received> messages;
  std::optional<Error> why;
};

TEST(TakeoverChannel, TakesTurnsBeforeItIsStarted) {
  Both both;
  both.here->post(Hello{.version = "a"});
  const auto hello = both.there->receive(soon());
  ASSERT_TRUE(hello);
  EXPECT_EQ(std::get<Hello>(hello->message).version, "a");
  both.there->post(Serving{.epoch = 5});
  EXPECT_EQ(std::get<Serving>(both.here->receive(soon())->message).epoch, 5u);
}

TEST(TakeoverChannel, SaysWhyNothingCame) {
  Both both;
  EXPECT_EQ(both.here->receive(os::boot_now()).error().code, Code::TimedOut);
  const auto cancel = os::EventFd::create();
  cancel->signal();
  EXPECT_EQ(both.here->receive(soon(), cancel->fd()).error().code, Code::Refused);
  both.there.reset();
  EXPECT_EQ(both.here->receive(soon()).error().code, Code::Unavailable);
}

TEST(TakeoverChannel, IsNoOtherKindOfDescriptor) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  EXPECT_FALSE(Channel::create(os::Fd(pipe_ends[0])));
  EXPECT_FALSE(Channel::create(os::Fd(pipe_ends[1])));
}

TEST(TakeoverChannel, PassesADescriptorBesideItsMessage) {
  Both both;
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  const os::Fd kept(sockets[0]);
  both.here->post(Draining{.connections = 1});
  both.here->post(ManagementTaken{"GET"}, os::Fd(sockets[1]));
  both.here->post(Ended{});
  EXPECT_FALSE(both.there->receive(soon())->fd.is_open());
  auto taken = both.there->receive(soon());
  ASSERT_TRUE(taken && taken->fd.is_open());
  EXPECT_EQ(::write(taken->fd.get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(kept.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  EXPECT_TRUE(std::holds_alternative<Ended>(both.there->receive(soon())->message));
}

TEST(TakeoverChannel, AConnectionWithoutItsDescriptorEndsIt) {
  Both both;
  both.here->post(ManagementTaken{"GET"});
  EXPECT_EQ(both.there->receive(soon()).error().code, Code::Invalid);
}

TEST(TakeoverChannel, CarriesMoreThanASocketHoldsWithoutWaiting) {
  Heard heard;
  Heard unused;
  Both both;
  const std::string long_text(200'000, 'x');
  for (int i = 0; i < 50; ++i) both.here->post(Failed{long_text});
  both.here->start(unused.ears());
  both.there->start(heard.ears());
  ASSERT_TRUE(heard.wait_for(50));
  for (const Received& one : heard.messages)
    EXPECT_EQ(std::get<Failed>(one.message).why.size(), long_text.size());
  EXPECT_TRUE(both.here->flush(soon()));
}

TEST(TakeoverChannel, TellsTheReaderOfTheEnd) {
  Heard heard;
  Both both;
  both.there->start(heard.ears());
  both.here->post(Ended{});
  ASSERT_TRUE(both.here->flush(soon()));
  both.here.reset();
  ASSERT_TRUE(heard.wait_for_end());
  EXPECT_EQ(heard.messages.size(), 1u);
  EXPECT_EQ(heard.why->code, Code::Unavailable);
  both.there->post(Ended{});  // lost, and that is all
}

TEST(TakeoverChannel, EndsOnWhatItCannotRead) {
  Heard heard;
  auto ends = Channel::pair();
  const os::Fd raw = std::move(ends->here);
  auto channel = std::move(*Channel::create(std::move(ends->there)));
  channel->start(heard.ears());
  ASSERT_EQ(::write(raw.get(), "\0\0\0\0", 4), 4);
  ASSERT_TRUE(heard.wait_for_end());
  EXPECT_EQ(heard.why->code, Code::Invalid);
}

}  // namespace
}  // namespace kelvin::takeover
