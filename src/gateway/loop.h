// loop: one thread of the data plane with everything that it alone owns.
//
// Loops share nothing but what stands in Shared and the gates of apps. Others speak to a loop by messages: a vector
// under a mutex and an eventfd. Sockets are watched edge-triggered and registered once, so that a request costs no
// epoll_ctl; every connection remembers whether it may still read or write.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/random.h"
#include "core/route/route.h"
#include "gateway/addresses.h"
#include "gateway/busy.h"
#include "gateway/gateway.h"
#include "gateway/keys.h"
#include "gateway/limits.h"
#include "gateway/metrics.h"
#include "gateway/notary.h"
#include "gateway/pipe.h"
#include "gateway/routes.h"
#include "gateway/timers.h"
#include "gateway/tls.h"
#include "http/message.h"
#include "model/effect.h"
#include "os/epoll.h"
#include "os/event_fd.h"
#include "os/slot_table.h"
#include "os/thread.h"
#include "ports/clock.h"
#include "ports/control.h"
#include "ports/management.h"

namespace kelvin::gateway {

class ClientConnection;
class Downstream;
class Exchange;
class H1Client;
class H1Upstream;
class H2Upstream;
class Upstream;

// What all loops see; it outlives them.
struct Shared {
  GatewayLimits limits;
  std::vector<Listening> listening;
  TlsContexts* tls = nullptr;  // null: nothing listening is secure
  bool is_open = true;         // apps are called without keys
  std::vector<std::string> own_hosts;
  std::optional<AddressBook> addresses;  // always there
  AddressPrefix (*count_as)(std::string_view address) = prefix_of;
  std::uint64_t epoch = 1;
  ports::Control* control = nullptr;
  os::SlotTable* slots = nullptr;
  ports::Management* management = nullptr;
  ports::Clock* clock = nullptr;
  std::unique_ptr<Records> records;  // never null
  std::atomic<std::uint32_t> connections_open{0};
  std::atomic<std::size_t> held_bytes{0};
  std::mutex drain_mutex;
  std::condition_variable connection_ended;  // signalled while draining
  std::atomic<bool> is_draining{false};
  std::atomic<bool> tells_every_slot{false};      // that is given back, to control
  std::atomic<std::uint32_t> loops_accepting{0};  // that may still take a connection
};

struct KeysChanged {
  std::shared_ptr<const KeyRing> ring;
};
struct ConnectionsUnwanted {
  ReplicaId replica;
  std::shared_ptr<std::atomic<std::uint32_t>>
      loops_left;  // whoever brings it to 0 posts ConnectionsClosed
};
struct DrainAsked {
  enum class Manner : std::uint8_t { Gently, AtOnce };
  Manner manner = Manner::AtOnce;
};
struct WaitingAsked {
  std::shared_ptr<std::latch> loops_left;
};
struct EndAsked {};
using Message = std::variant<std::shared_ptr<const AppRoute>, KeysChanged, model::Handover,
                             model::RefuseRequest, model::TellProgress, ConnectionsUnwanted,
                             model::AskBusy, DrainAsked, WaitingAsked, EndAsked>;

enum class EndpointKind : std::uint8_t { Listener, Inbox, Client, H1Upstream, H2Upstream };
// What an epoll tag points to.
struct Endpoint {
  EndpointKind kind;
};

enum class TimerKind : std::uint8_t {
  ClientStep,
  StreamStep,
  RequestTimeout,
  Progress,
  UpstreamIdle,
  UpstreamConnect,
  H2Upstream,
  AcceptAgain
};

class Loop {
 public:
  // Fails where the system has no epoll or eventfd left.
  static Result<std::unique_ptr<Loop>> create(Shared& shared, std::uint32_t index);
  ~Loop();

  void start();
  void post(Message message);
  const Metrics& metrics() const { return metrics_; }

  // --- for its connections, on its own thread ---
  Shared& shared() { return shared_; }
  const GatewayLimits& limits() const { return shared_.limits; }
  Metrics& counts() { return metrics_; }
  Notary& notary() { return notary_; }
  std::uint32_t index() const { return index_; }
  // Of the events being handled; one clock read for all of them.
  Instant now() const { return now_; }
  // A fresh read, for moments that are billed.
  Instant clock_now() const { return shared_.clock->now(); }
  std::int64_t unix_seconds() const { return shared_.clock->unix_ns(now_) / 1'000'000'000; }
  RequestId next_request_id();
  const RouteTable& routes() const { return routes_; }
  const KeyRing& keys() const { return *keys_; }
  TimerWheel& timers() { return timers_; }
  BusyBook& busy() { return busy_; }
  void report_busy();
  Random& random() { return random_; }
  // For what is read within one event from a client, 128 KiB, and from a replica, 256 KiB.
  std::span<char> client_buffer() { return client_buffer_; }
  std::span<char> upstream_buffer() { return upstream_buffer_; }
  // Empty between events; null where the system gave none.
  SplicePipe* pipe() { return pipe_ ? &*pipe_ : nullptr; }
  std::vector<route::ReplicaLoad>& loads() { return loads_; }
  http::RequestHead& request_head() { return request_head_; }
  http::ResponseHead& response_head() { return response_head_; }

  // Heads and framing are put together here: one user at a time, for the length of a call.
  std::string& scratch() { return scratch_; }
  std::vector<http::Field>& scratch_fields() { return scratch_fields_; }

  // Its turn comes again before the loop sleeps.
  void call_again(Downstream& downstream);
  void remember_waiting(RequestId request, Exchange& exchange) { waiting_[request] = &exchange; }
  void forget_waiting(RequestId request) { waiting_.erase(request); }
  // The socket is closed at once; the object goes when no event can point to it any more.
  void discard(ClientConnection& client);
  // Goes on with the same connection, of which `received` has been read.
  void switch_to_h2(H1Client& client, std::string_view received);
  // Lives to the end of the turn, because an event or a caller may still point to it.
  void bury(std::unique_ptr<Downstream> stream) { dead_streams_.push_back(std::move(stream)); }
  void bury(std::unique_ptr<Upstream> stream) {
    dead_upstream_streams_.push_back(std::move(stream));
  }
  void hand_to_management(ClientConnection& client, int fd, std::string received);

  // --- connections to replicas (loop_pool.cc) ---
  // A kept connection that is still good; null when there is none.
  H1Upstream* take_idle(ReplicaId replica);
  // A fresh one, perhaps still connecting.
  Result<H1Upstream*> connect(const model::RouteReplica& replica);
  // A connection to a replica that speaks h2c, with room for a stream.
  Result<H2Upstream*> connect_h2(const model::RouteReplica& replica);
  void discard(H2Upstream& upstream);
  // One end of a socket pair; management has the other.
  Result<H1Upstream*> connect_management();
  void keep_idle(H1Upstream& upstream, Duration at_most);
  void discard(H1Upstream& upstream);

 private:
  struct Listener : Endpoint {
    int fd = -1;
    bool is_secure = false;
  };

  explicit Loop(Shared& shared, std::uint32_t index, os::Epoll epoll, os::EventFd inbox);

  void run();
  std::optional<Duration> sleep_time() const;
  void handle(const epoll_event& event);
  void accept_some(const Listener& listener);
  void stop_accepting();
  void watch_listeners();
  void pause_accepting();
  void give_turns();
  void fire_timers();
  void report_busy_when_due();
  void read_messages();
  void take(std::shared_ptr<const AppRoute>& entry);
  void take(KeysChanged& change);
  void take(model::Handover& handover);
  void take(model::RefuseRequest& refusal);
  void take(model::TellProgress& progress);
  void take(ConnectionsUnwanted& unwanted);
  void take(model::AskBusy& ask);
  void take(DrainAsked& ask);
  void take(WaitingAsked& ask);
  void take(EndAsked& ask);
  void close_idle_to(ReplicaId replica);
  Result<H1Upstream*> watch_upstream(std::unique_ptr<H1Upstream> upstream);
  void drop_idle(H1Upstream& upstream);
  void end_everything();
  void note_connection_ended();

  Shared& shared_;
  std::uint32_t index_;
  os::Epoll epoll_;
  os::EventFd inbox_;
  Endpoint inbox_endpoint_{EndpointKind::Inbox};
  std::vector<Listener> listeners_;
  std::optional<TlsView> certificates_;  // absent: none is needed
  bool is_accepting_ = false;
  bool has_stopped_ = false;  // accepting, for good
  bool is_ending_ = false;

  std::mutex messages_mutex_;
  std::vector<Message> messages_;  // guarded by messages_mutex_

  TimerWheel timers_;
  Timer accept_again_;
  Instant now_;
  Instant reported_;  // when the last BusyMeasured went out
  std::uint64_t requests_ = 0;
  Random random_;
  RouteTable routes_;
  std::shared_ptr<const KeyRing> keys_;
  BusyBook busy_;
  Metrics metrics_;
  Notary notary_;
  std::vector<char> client_buffer_;
  std::vector<char> upstream_buffer_;
  std::optional<SplicePipe> pipe_;
  std::string scratch_;
  std::vector<http::Field> scratch_fields_;
  std::vector<route::ReplicaLoad> loads_;  // of the app whose slot is being sought
  http::RequestHead request_head_;
  http::ResponseHead response_head_;

  std::unordered_map<ClientConnection*, std::unique_ptr<ClientConnection>> clients_;
  std::unordered_map<H1Upstream*, std::unique_ptr<H1Upstream>> upstreams_;
  std::unordered_map<ReplicaId, std::vector<H1Upstream*>, IdHash> idle_;  // oldest first
  std::unordered_map<H2Upstream*, std::unique_ptr<H2Upstream>> h2_upstreams_;
  std::unordered_map<ReplicaId, std::vector<H2Upstream*>, IdHash> h2_by_replica_;
  std::unordered_map<RequestId, Exchange*, IdHash> waiting_;
  std::vector<Downstream*> again_;
  std::vector<std::unique_ptr<ClientConnection>> dead_clients_;
  std::vector<std::unique_ptr<H1Upstream>> dead_upstreams_;
  std::vector<std::unique_ptr<H2Upstream>> dead_h2_upstreams_;
  std::vector<std::unique_ptr<Downstream>> dead_streams_;
  std::vector<std::unique_ptr<Upstream>> dead_upstream_streams_;
  os::Thread thread_;
};

}  // namespace kelvin::gateway
