// testbed: a gateway on loopback between scripted clients and scripted replicas, with the test in control's place.
//
// Everything blocks on sockets or on recorded events, for at most ten seconds: no test sleeps.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/gateway.h"
#include "http/message.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/slot_table.h"

namespace kelvin::gateway::testbed {

// The machine's clock, until a test stops it and moves it on itself.
class BedClock : public ports::Clock {
 public:
  Instant now() const override {
    const std::int64_t stopped_at = stopped_at_ns_;
    return stopped_at == 0 ? os::boot_now() : Instant{stopped_at};
  }
  std::int64_t unix_ns(Instant at) const override { return os::unix_ns_at(at); }
  void stop() { stopped_at_ns_ = os::boot_now().ns; }
  void advance(Duration by) { stopped_at_ns_ += by.count(); }

 private:
  std::atomic<std::int64_t> stopped_at_ns_{0};  // 0: it runs
};

// Keeps what the gateway tells control.
class RecordedControl : public ports::Control {
 public:
  void post(model::Event event) override;
  std::vector<model::AppView> apps() override { return {}; }
  std::optional<model::AppView> find_app(AppId) override { return {}; }
  std::optional<model::AppView> find_named_app(const model::AppName&) override { return {}; }
  std::optional<model::RequestView> find_request(RequestId) override { return {}; }
  std::vector<model::ReplicaView> replicas(AppId) override { return {}; }
  std::vector<model::Revision> revisions(AppId) override { return {}; }
  std::vector<model::Decision> decisions(const DecisionFilter&) override { return {}; }

  // The next event of this kind, waited for; others stay where they are.
  template <class T>
  T next() {
    const auto is_wanted = [](const model::Event& event) {
      return std::holds_alternative<T>(event);
    };
    return std::get<T>(take_first(is_wanted));
  }
  template <class T>
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    for (const model::Event& event : events_) found += std::holds_alternative<T>(event) ? 1 : 0;
    return found;
  }
  // In the order of their arrival, kept or taken: busy reports only, which tests add up.
  std::vector<model::BusyMeasured> busy_reports();

 private:
  model::Event take_first(const std::function<bool(const model::Event&)>& is_wanted);

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<model::Event> events_;
  std::vector<model::BusyMeasured> busy_;
};

class RecordedManagement : public ports::Management {
 public:
  void take(int fd, std::string received) override;
  // Waits for the next connection.
  std::pair<os::Fd, std::string> next();

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::pair<os::Fd, std::string>> taken_;
};

struct Reply {
  int status = 0;
  std::string head;
  std::string body;
  bool is_whole = false;  // the body ended as its framing says
  std::string field(std::string_view name) const;
};

// A blocking socket with a ten-second limit on every wait.
class Wire {
 public:
  Wire() = default;
  explicit Wire(os::Fd fd);

  void send(std::string_view bytes);
  // What fits without waiting; how much that was.
  std::size_t send_without_waiting(std::string_view bytes);
  // At least one byte, unless the other side has ended: then nothing.
  std::string read_some();
  std::string read_exactly(std::size_t count);
  std::string read_until(std::string_view mark);
  std::string read_to_end();
  // Head and body of one request; the body as it was sent, chunks decoded.
  std::string read_request();
  Reply read_reply(std::string_view method = "GET");
  bool has_ended();
  void finish_sending();
  void close() { fd_.reset(); }
  // The next close sends a reset.
  void reset();
  int fd() const { return fd_.get(); }

 private:
  std::string take_body(http::Framing framing, std::uint64_t length, bool& is_whole);

  os::Fd fd_;
  std::string held_;
};

// A replica: its listening socket, and the connections that the test accepts.
class ScriptedReplica {
 public:
  ScriptedReplica();
  Wire accept();
  // Absent once interrupt() was called.
  std::optional<Wire> try_accept();
  void interrupt();
  // From here on one connection waits to be accepted; the kernel makes others try again after a second.
  void shorten_backlog();
  // Nothing listens from here on.
  void stop() { listening_.reset(); }
  std::uint16_t port() const { return port_; }

 private:
  os::Fd listening_;
  std::uint16_t port_ = 0;
};

struct BedSetup {
  GatewayLimits limits;
  std::uint32_t loops = 1;
  bool is_open = true;
  std::vector<std::string> own_hosts;
  TlsContexts* tls = nullptr;  // null: plain
  RecordOptions records;
  AddressPrefix (*count_as)(std::string_view address) = prefix_of;
  RecordedControl* control = nullptr;  // null: the bed's own, which keeps every event for the test
};

class Testbed {
 public:
  explicit Testbed(const BedSetup& setup = {});
  ~Testbed();

  // From 127.0.0.1, or from another address of this machine.
  Wire connect(const char* from = nullptr);
  // Replica number n (from 1) lies in slot n with generation 1; its id is n.
  model::RouteReplica open_replica(std::uint64_t number, std::uint16_t port,
                                   std::uint32_t slots = 4);
  // An app with these replicas, id 1 unless the route says otherwise; in force when this returns.
  void set_route(model::Route route);
  void set_app(const std::string& name, std::vector<model::RouteReplica> replicas);
  void set_keys(std::vector<model::Key> keys);
  // Every loop has handled what was sent to it before.
  void settle();
  // On a stopped clock: so much time, and a little more than timers are late by.
  void pass(Duration time) {
    clock.advance(time + 100ms);
    settle();
  }
  void hand_over(const model::Demand& demand, const model::RouteReplica& replica,
                 model::Temperature woke_from = model::Temperature::Warm,
                 std::vector<model::StageTime> stages = {});
  os::SlotWord word_of(std::uint64_t number) const {
    return table_.read(static_cast<std::uint32_t>(number));
  }
  // Waits, on the events of the gateway, until a replica has this many requests.
  void wait_for_in_flight(std::uint64_t number, std::uint32_t count);
  std::uint16_t port() const { return port_; }

  BedClock clock;
  RecordedControl own_control;
  RecordedControl& control;
  RecordedManagement management;
  std::unique_ptr<Gateway> gateway;

  os::SlotTable& table() { return table_; }

 private:
  std::array<os::SlotEntry, 64> entries_;
  os::SlotTable table_;
  os::Fd listening_;
  std::uint16_t port_ = 0;
  std::uint32_t loops_ = 1;
};

model::Key make_key(std::uint64_t id, const std::string& text, model::Scopes scopes);
// The text with every run of digits as one '#'.
std::string shape_of(std::string_view text);
std::string get(std::string_view path, std::string_view host = "echo.localhost",
                std::string_view fields = "");
std::string post(std::string_view path, std::string_view body,
                 std::string_view host = "echo.localhost", std::string_view fields = "");
std::string ok(std::string_view body, std::string_view fields = "");

// The app "echo" with one replica, at which a client's first request, GET /, has arrived.
struct FirstRequest {
  FirstRequest();

  Testbed bed;
  ScriptedReplica replica;
  Wire client;
  Wire upstream;
};

}  // namespace kelvin::gateway::testbed
