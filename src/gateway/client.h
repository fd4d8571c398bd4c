// client: one client's connection, and the one request on it at a time.
//
//   ReadingHead -> (HoldingBody) -> (Waiting) -> Connecting -> Proxying -> Replying -> ReadingHead, or Lingering
//
// From ReadingHead and HoldingBody an own reply leads straight to Replying. A client that leaves ends the connection
// from every step; what it holds (a place in the queue, a slot, a replica's time) is given back at once.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/body.h"
#include "gateway/destination.h"
#include "gateway/heads.h"
#include "gateway/loop.h"
#include "gateway/openai_body.h"
#include "gateway/socket.h"
#include "gateway/timers.h"
#include "model/effect.h"

namespace kelvin::gateway {

// One request, from its head to its end.
struct Exchange {
  RequestId id;
  Instant arrived;
  KeyId key;
  std::shared_ptr<const AppRoute> app;
  bool is_openai = false;
  bool is_head = false;  // its method is HEAD
  bool is_old = false;   // HTTP/1.0: neither chunks nor interim replies may be sent
  bool keeps_alive = true;
  bool is_waiting = false;     // counted in the app's gate
  std::string allowed_origin;  // cross-origin, allowed by cors
  std::string raw_head;        // under /v1, until the body is there
  std::string held;            // body under /v1
  std::size_t held_from = 0;   // of it, what the replica has taken
  BodyReader body;             // as it comes from the client
  bool body_is_held = false;
  BodyOut body_form;  // as it goes to the replica

  // At a replica.
  std::uint32_t tries = 0;
  ReplicaId avoid;                     // the last try went there and failed
  model::RouteReplica replica;         // whose slot is held; id 0: none
  bool any_byte_sent = false;          // to this replica: no other may be tried
  bool may_send_more = true;           // false: the replica takes no more of the request
  bool removes_authorization = false;  // the bearer was our key
  Instant dispatched;                  // when the first slot was had; 0: never
  ReplicaId left;                      // the replica that was left last, and when
  Instant left_at;
  bool is_noted = false;  // counted and logged
  Instant first_byte_sent;
  model::Temperature woke_from = model::Temperature::Warm;
  std::vector<model::StageTime> stages;
  std::uint64_t request_bytes = 0;

  // Its reply.
  bool head_is_done = false;    // the replica's head has been read and passed on
  bool upstream_stays = false;  // the connection to the replica may be used again,
  Duration upstream_idle{};     // for so long
  bool closes = false;          // the connection ends with this reply
  bool is_sse = false;
  int line_ends = 2;  // of an SSE reply, at its end so far: two complete an event
  BodyReader reply_body;
  BodyOut reply_form;
  int status = 0;
  std::uint64_t reply_bytes = 0;
};

// Stands in the log for a request whose client left before it got a head.
constexpr int kClientLeftStatus = 499;

// The value of Kelvin-Cold-Start; empty for a request that found its replica warm.
[[nodiscard]] std::string_view cold_start_word(model::Temperature woke_from);

class Client : public Endpoint {
 public:
  Client(Loop& loop, os::Fd fd, std::string address);
  ~Client();

  void begin();
  int fd() const { return fd_.get(); }
  bool is_discarded() const { return !fd_.is_open(); }

  void on_events(std::uint32_t events);
  void on_step_timeout();
  void on_request_timeout();
  void on_upstream_events(std::uint32_t events);
  void on_connect_timeout();
  void on_handover(model::Handover& handover);
  void on_refusal(const model::Refusal& refusal);
  // Goes on where the last turn stopped for the others' sake.
  void on_turn();
  // Ends the connection where it is idle; else it ends with its reply.
  void on_drain();
  // Gives everything back and closes.
  void abandon();
  // The socket goes to the caller.
  int release_fd() { return fd_.release(); }
  void close_fd() { fd_.reset(); }

  bool is_in_again = false;  // the loop's own note

 private:
  enum class Step : std::uint8_t {
    ReadingHead,
    HoldingBody,
    Waiting,
    Connecting,
    Proxying,
    Replying,
    Lingering
  };
  // What a step has come to.
  enum class Went : std::uint8_t {
    On,       // the connection is in another step, or further in this one: look again
    Waiting,  // nothing more to do before the next event
    Gone,     // the connection is discarded: touch nothing
  };

  // --- client_read.cc: bytes from the client, up to a whole request ---
  void advance();
  Went take_step();
  Went read_head();
  Went hold_body();
  Went flush_reply();
  Went linger();
  bool read_more();
  // False: a refusal has been written.
  bool keep_body(std::string_view payload);
  void begin_request(const http::RequestHead& head);
  void set_step(Step step, Duration at_most);
  void begin_linger();

  // --- client_route.cc: which app, and whether it may be called ---
  bool refuse_early(const http::RequestHead& head, const Destination& to);
  void route_to_app(const http::RequestHead& head, Destination to);
  void begin_openai(const http::RequestHead& head);
  void finish_openai();
  void reply_models(const http::RequestHead& head);
  bool reply_preflight(const http::RequestHead& head, const AppRoute* app);
  std::optional<model::Refusal> check_caller(const http::RequestHead& head, bool with_origin);
  bool is_admitted(const http::RequestHead& head, std::string_view name);
  void write_request_head(const http::RequestHead& head, std::string_view path,
                          std::string_view prefix);

  // --- client_slot.cc: a slot, and a connection to the replica it belongs to ---
  void seek_slot();
  bool try_slot();
  void wait_for_slot();
  void leave_queue();
  void dispatch(const model::RouteReplica& replica);
  void open_upstream();
  void connect_failed(std::string detail);
  void try_elsewhere();
  void suspect(model::Suspicion suspicion, std::string detail);
  void give_slot_back(Instant at);
  // Ends the request's time at the replica. `keeps`: the connection to it may serve again.
  void leave_replica(bool keeps);

  // --- client_proxy.cc: bytes both ways ---
  Went pump();
  Went pump_request();
  Went forward_body();
  Went send_request(std::initializer_list<std::string_view> parts);
  Went note_sent(const Sent& sent, Instant at);
  Went pump_reply();
  Went pass_reply(std::span<char> bytes);
  void begin_reply(const http::ResponseHead& head);
  Went pass_body(std::span<char> bytes);
  Went send_reply(std::initializer_list<std::string_view> parts);
  Went flush_out();
  void reply_ended();
  Went upstream_broke(std::string detail);
  void break_reply(const model::Refusal& refusal);
  void watch_client();

  // --- client_finish.cc: own replies, and what comes after a reply ---
  void refuse(const model::Refusal& refusal);
  struct Own {
    int status = 200;
    std::string_view content_type = "application/json";
    std::string_view body;
    std::string_view extra_fields;
  };
  void reply_own(const Own& own);
  void next_request();
  void note_end(int status);
  void client_left();
  void free_held();
  bool body_is_here() const;

  Loop& loop_;
  os::Fd fd_;
  std::string address_;
  Step step_ = Step::ReadingHead;
  bool may_read_ = true;
  bool may_write_ = true;
  bool saw_end_ = false;     // the client sends no more
  bool is_drained_ = false;  // no further request is taken
  bool head_has_begun_ = false;
  bool has_moved_ = false;    // in this turn the client gave or took a byte
  std::size_t in_hand_ = 0;   // bytes at the front of in_ that are read, but not consumed yet
  std::size_t lingered_ = 0;  // bytes thrown away after the last reply
  Inbox in_;
  Outbox out_;          // to the client
  Outbox request_out_;  // to the replica; survives a try of which no byte was sent
  Upstream* upstream_ = nullptr;
  Exchange exchange_;
  Timer step_timer_;
  Timer request_timer_;
  std::string text_;  // heads are put together here; keeps its room
};

}  // namespace kelvin::gateway
