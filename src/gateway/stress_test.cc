// Many clients on few slots, over two loops, with clients that leave: nothing is lost, nothing stays taken.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>

#include "gateway/testbed.h"
#include "os/thread.h"

namespace kelvin::gateway::testbed {
namespace {

// Plays control's part at once and on the caller's thread: first come, first served.
class PromptControl : public RecordedControl {
 public:
  void post(model::Event event) override {
    const std::lock_guard lock(mutex_);
    if (const auto* demand = std::get_if<model::Demand>(&event)) {
      queue_.push_back(*demand);
    } else if (const auto* left = std::get_if<model::RequestLeft>(&event)) {
      std::erase_if(queue_, [&](const auto& waiting) { return waiting.request == left->request; });
    } else if (!std::holds_alternative<model::SlotFree>(event) &&
               !std::holds_alternative<model::HandoverRefused>(event)) {
      return RecordedControl::post(std::move(event));
    }
    hand_out();
  }

  void begin(Gateway& gateway, os::SlotTable& table, std::vector<model::RouteReplica> replicas) {
    const std::lock_guard lock(mutex_);
    gateway_ = &gateway;
    table_ = &table;
    replicas_ = std::move(replicas);
  }

  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }

 private:
  void hand_out() {
    for (const model::RouteReplica& replica : replicas_) {
      while (!queue_.empty() &&
             table_->try_take({replica.slot, replica.generation}, replica.slots)) {
        const model::Demand demand = queue_.front();
        queue_.pop_front();
        gateway_->hand_over({.request = demand.request, .loop = demand.loop, .replica = replica});
      }
    }
  }

  std::mutex mutex_;
  std::deque<model::Demand> queue_;
  Gateway* gateway_ = nullptr;
  os::SlotTable* table_ = nullptr;
  std::vector<model::RouteReplica> replicas_;
};

// Answers every request with its own path, each connection on a thread of its own; counts how many run at once.
class EchoReplica {
 public:
  EchoReplica() {
    acceptor_ = os::Thread("acceptor", [this] {
      while (auto wire = replica_.try_accept()) {
        auto shared = std::make_shared<Wire>(std::move(*wire));
        connections_.emplace_back("echo", [this, shared] { serve(*shared); });
      }
    });
  }
  ~EchoReplica() {
    replica_.interrupt();
    acceptor_.join();
  }
  std::uint16_t port() const { return replica_.port(); }
  std::uint32_t most_at_once() const { return most_; }

 private:
  void serve(Wire& wire) {
    while (true) {
      const std::string request = wire.read_request();
      if (request.empty()) return;
      const std::uint32_t running = ++running_;
      for (std::uint32_t most = most_;
           most < running && !most_.compare_exchange_weak(most, running);) {
      }
      const std::size_t from = request.find(' ') + 1;
      const std::string path = request.substr(from, request.find(' ', from) - from);
      --running_;
      wire.send(ok(path));
    }
  }

  ScriptedReplica replica_;
  std::atomic<std::uint32_t> running_{0};
  std::atomic<std::uint32_t> most_{0};
  std::vector<os::Thread> connections_;
  os::Thread acceptor_;
};

TEST(Stress, NothingIsLostAndNothingStaysTaken) {
  constexpr int clients = 6;
  constexpr int requests_each = 150;
  PromptControl control;
  EchoReplica one;
  EchoReplica two;
  Testbed bed(BedSetup{.loops = 2, .control = &control});
  const std::vector<model::RouteReplica> replicas = {bed.open_replica(1, one.port(), 1),
                                                     bed.open_replica(2, two.port(), 2)};
  control.begin(*bed.gateway, bed.table(), replicas);
  bed.set_app("echo", replicas);
  std::atomic<int> answered{0};
  std::atomic<int> left{0};
  {
    std::vector<os::Thread> threads;
    for (int number = 0; number < clients; ++number) {
      threads.emplace_back("client", [&, number] {
        Wire wire = bed.connect();
        for (int i = 0; i < requests_each; ++i) {
          const std::string path = "/" + std::to_string(number) + "/" + std::to_string(i);
          wire.send(get(path));
          if (i % 7 == 3) {
            wire.reset();
            wire = bed.connect();
            ++left;
            continue;
          }
          if (wire.read_reply().body == path) ++answered;
        }
      });
    }
  }
  EXPECT_EQ(answered + left, clients * requests_each);
  bed.wait_for_in_flight(1, 0);
  bed.wait_for_in_flight(2, 0);
  EXPECT_LE(one.most_at_once(), 1u);
  EXPECT_LE(two.most_at_once(), 2u);
  EXPECT_EQ(control.waiting(), 0u);
  EXPECT_EQ(bed.gateway->metrics().requests_waiting, 0u);
  EXPECT_EQ(bed.gateway->metrics().requests_in_flight, 0u);
  bed.gateway.reset();
}

}  // namespace
}  // namespace kelvin::gateway::testbed
