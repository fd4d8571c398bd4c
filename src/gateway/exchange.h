// exchange: one request, from its head to its end, between a client's side and a replica's.
//
//   Idle -> (HoldingBody) -> (Waiting) -> Connecting -> Proxying -> Over
//
// A reply of the gateway's own leads from every step to Over, and so does a client that leaves. What the request holds (a place in
// the queue, a slot, a replica's time) is given back at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/affinity.h"
#include "gateway/destination.h"
#include "gateway/downstream.h"
#include "gateway/heads.h"
#include "gateway/loop.h"
#include "gateway/openai_body.h"
#include "gateway/request_facts.h"
#include "gateway/timers.h"
#include "gateway/upstream.h"
#include "gateway/wishes.h"
#include "model/effect.h"

namespace kelvin::gateway {

// The value of Kelvin-Cold-Start; empty for a request that found its replica warm.
[[nodiscard]] std::string_view cold_start_word(model::Temperature woke_from);

// The body that follows a request's head.
struct RequestBody {
  bool exists = false;
  std::optional<std::uint64_t> length;  // absent: not known
};

class Exchange {
 public:
  Exchange(Loop& loop, Downstream& downstream);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // A new request on the same side; whatever was before is over.
  void start();
  // Its head has been read. Views of `head` are not kept.
  void begin(const http::RequestHead& head, const RequestBody& body);
  void refuse(const model::Refusal& refusal);
  // Does all that can be done without waiting.
  void advance();
  // The client gave up: its body stopped arriving.
  void body_stalled();
  // It comes more slowly than the limits allow.
  void body_too_slow();
  void client_left();

  bool is_over() const { return step_ == Step::Over; }
  bool is_waiting_for_body() const { return step_ == Step::HoldingBody; }
  bool has_sent_head() const { return s_.head_is_done || s_.has_said_progress; }
  RequestId id() const { return s_.id; }
  Instant arrived() const { return s_.arrived; }
  bool is_head() const { return s_.is_head; }
  bool is_sse() const { return s_.is_sse; }
  bool is_tunnel() const { return s_.is_tunnel && !is_over(); }
  bool wants_tunnel() const { return s_.wants_tunnel; }
  Downstream& downstream() { return downstream_; }
  // What control is told of one that waits.
  model::Demand demand() const;

  // --- from control, through the loop ---
  void on_handover(model::Handover& handover);
  void on_refusal(const model::Refusal& refusal);
  // Why it waits, in answer to ProgressAsked.
  void on_progress(const std::string& sentence);
  void on_timeout();
  void on_progress_due();

  // --- from the replica's side ---
  void on_connected();
  void connect_failed(std::string detail);
  void on_interim(const http::ResponseHead& head);
  void on_reply_head(const http::ResponseHead& head, BodyOut body);
  void on_reply_body(const ReplyPiece& piece);
  void on_reply_broke(std::string detail);

 private:
  enum class Step : std::uint8_t { Idle, HoldingBody, Waiting, Connecting, Proxying, Over };

  // --- exchange_route.cc: which app, and whether it may be called ---
  // True: refused.
  bool refuse_early(const http::RequestHead& head, const Destination& to);
  bool refuse_upgrade(const http::RequestHead& head, const Destination& to);
  void route_to_app(const http::RequestHead& head, Destination to);
  void route_to_management(const http::RequestHead& head);
  void begin_openai(const http::RequestHead& head);
  void refuse_long_body();
  void hold_body();
  bool keep_body(std::string_view payload);
  void finish_openai();
  void reply_models(const http::RequestHead& head);
  bool reply_preflight(const http::RequestHead& head, const AppRoute* app);
  std::optional<model::Refusal> check_caller(const http::RequestHead& head, bool with_origin);
  bool is_admitted(const http::RequestHead& head, std::string_view name);
  void write_request_head(const http::RequestHead& head, std::string_view path,
                          std::string_view prefix);

  // --- exchange_slot.cc: a slot, and a connection to the replica it belongs to ---
  bool read_wishes_of(const http::RequestHead& head);
  void draw_place(const http::RequestHead& head, BodyStart body);
  bool waits_for_parked() const;
  bool is_low() const { return s_.wishes.priority == model::Priority::Low; }
  void seek_slot();
  bool try_slot();
  void wait_for_slot();
  void leave_queue();
  void dispatch(const model::RouteReplica& replica);
  void open_upstream();
  void leave_failed(std::string detail);
  void try_elsewhere();
  void suspect(model::Suspicion suspicion, std::string detail);
  void give_slot_back(Instant at);
  // Ends the request's time at the replica. `keeps`: the connection to it may serve again.
  void leave_replica(bool keeps);

  // --- exchange_proxy.cc: bytes both ways ---
  void pump();
  void pump_request();
  // False: nothing more can be sent now.
  bool send_held();
  bool forward_body();
  bool send(const Outgoing& outgoing);
  bool note_sent(const Sent& sent, Instant at);
  Awaited awaited() const;
  void reply_ended();
  void break_reply(const model::Refusal& refusal);

  // --- exchange_progress.cc: an event stream that begins before there is a replica ---
  // `streams`: its body asks for an event stream.
  bool may_be_told_progress(const http::RequestHead& head, bool streams) const;
  void say_comment(std::string_view text);
  void say_who_serves();
  void begin_event_stream();
  // The replica's reply cannot follow the comments.
  void refuse_late_head(const http::ResponseHead& head);

  // --- exchange_finish.cc: own replies, and the end ---
  struct Own {
    int status = 200;
    std::string_view content_type = "application/json";
    std::string_view body;
    std::string_view extra_fields;
    std::string_view code;  // of a refusal
  };
  void reply_own(const Own& own);
  void refuse_slow_body(std::string sentence);
  void note_head(const http::RequestHead& head, Surface surface);
  void note_end(int status, Ending ending, std::string_view code = {});
  void free_held();
  void set_over();
  std::string app_name() const;

  // What is known of the request; a new request begins with a fresh one.
  struct State {
    RequestId id;
    HeadNote note;
    RouteLabel route = RouteLabel::None;
    Instant arrived;
    KeyId key;
    std::shared_ptr<const AppRoute> app;
    bool is_openai = false;
    bool is_head = false;     // its method is HEAD
    bool is_waiting = false;  // counted in the app's gate
    bool wants_tunnel = false;
    bool wants_progress = false;     // comments about its wait
    bool has_said_progress = false;  // an event stream of comments has begun
    std::uint32_t key_weight = 1;
    Wishes wishes;
    std::optional<std::uint64_t> affinity;  // hash by the app's rule
    RevisionId revision;                    // its share of split traffic; 0: any
    std::string allowed_origin;             // cross-origin, allowed by cors
    std::string raw_head;                   // under /v1, until the body is there
    RequestBody body;
    bool body_is_over = true;   // its last piece has been taken from the client
    bool end_is_given = false;  // it has been given to the replica's side, or is kept for it
    bool body_is_held = false;
    std::string held;           // body under /v1
    std::size_t held_from = 0;  // of it, what the replica has taken
    BodyOut body_form;          // as it goes to the replica
    bool awaits_continue =
        false;  // the client sends it once the replica says so, or loses patience

    // At a replica.
    std::uint32_t tries = 0;
    ReplicaId avoid;                     // the last try went there and failed
    model::RouteReplica replica;         // whose slot is held; id 0: none
    bool any_byte_sent = false;          // to this replica: no other may be tried
    bool may_send_more = true;           // false: the replica takes no more of the request
    bool removes_authorization = false;  // the bearer was our key
    Instant dispatched;                  // when the first slot was had; 0: never
    ReplicaId left;                      // the replica that was left last,
    std::uint32_t left_revision = 0;     // its revision as people see it,
    Instant left_at;                     // and when
    Instant first_byte_sent;
    Instant first_byte_read;
    model::Temperature woke_from = model::Temperature::Warm;
    std::vector<model::StageTime> stages;
    std::uint64_t request_bytes = 0;

    // Its reply.
    bool head_is_done = false;  // the replica's head has been read and passed on
    bool is_failed = false;     // by the replica's doing: 5xx, broken off, or no head in time
    bool is_tunnel = false;     // and it switched protocols
    bool is_sse = false;
    bool has_length = false;  // the reply's body has a length that was said
    int line_ends = 2;        // of an SSE reply, at its end so far: two complete an event
    int status = 0;           // 0: none was passed on
    std::uint64_t reply_bytes = 0;
    bool is_noted = false;  // counted and logged
  };

  Loop& loop_;
  Downstream& downstream_;
  Step step_ = Step::Over;
  State s_;
  Outbox request_out_;  // to the replica; survives a try of which no byte was sent
  Upstream* upstream_ = nullptr;
  Timer timeout_;   // of the app
  Timer progress_;  // the next comment about its wait
};

}  // namespace kelvin::gateway
