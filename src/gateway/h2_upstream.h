// h2_upstream: one h2c connection to a replica, shared by the exchanges whose streams it carries.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/id.h"
#include "gateway/loop.h"
#include "gateway/socket.h"
#include "gateway/timers.h"
#include "gateway/transport.h"
#include "gateway/upstream.h"
#include "http/h2_session.h"

namespace kelvin::gateway {

class Exchange;
class H2Upstream;

// One request on it. Owned by its connection, and by the loop once it has been left.
class H2UpstreamStream : public Upstream {
 public:
  H2UpstreamStream(H2Upstream& connection, Exchange& exchange)
      : connection_(connection), exchange_(&exchange) {}

  Exchange* exchange() { return exchange_; }
  http::H2Stream number() const { return number_; }
  // What the session tells of it. Heads go on at once; the rest waits for read_reply().
  void take_head(const http::ResponseHead& head, http::Ends ends);
  void add_body(std::string_view piece) { in_ += piece; }
  void add_trailers(std::span<const http::Field> fields);
  void end_reply() { has_all_ = true; }
  void note_reset(std::string why) { reset_ = std::move(why); }
  void let_go() { exchange_ = nullptr; }

  bool is_connected() const override;
  bool is_reused() const override;
  bool can_take() const override;
  Sent send(Outbox& kept, const Outgoing& outgoing) override;
  void read_reply() override;
  void leave(bool keeps) override;

 private:
  void pass(ReplyPiece piece);
  bool submit(Outbox& kept, http::Ends ends);

  H2Upstream& connection_;
  Exchange* exchange_;
  http::H2Stream number_ = 0;  // 0: not sent yet
  bool is_finished_ = false;   // our side is complete
  bool head_is_done_ = false;
  bool has_all_ = false;  // the reply has come whole
  std::string in_;        // of its body; bounded by the stream's window
  std::string reset_;     // why it was reset; empty: it was not
  std::vector<std::pair<std::string, std::string>> trailers_;
};

class H2Upstream : public Endpoint, private http::H2Events {
 public:
  H2Upstream(Loop& loop, ReplicaId to, Connecting socket);

  ReplicaId replica() const { return replica_; }
  int fd() const { return transport_.fd(); }
  bool is_discarded() const { return !transport_.is_open(); }
  bool is_connected() const { return is_connected_; }
  bool is_reused() const { return requests_ > 1; }
  bool is_idle() const { return streams_.empty(); }
  // Whether another stream fits.
  bool has_room() const;
  H2UpstreamStream& open(Exchange& exchange);

  void on_events(std::uint32_t events);
  // It does not connect in time, or has been idle for long enough.
  void on_timer();
  void close();

  Loop& loop() { return loop_; }
  http::H2Session& session() { return session_; }
  void note_number(H2UpstreamStream& stream);
  void flush();
  void drop(H2UpstreamStream& stream);

 private:
  void on_request(http::H2Stream, const http::RequestHead&, http::Ends) override {}
  void on_refused(http::H2Stream, const http::Outcome&) override {}
  void on_response(http::H2Stream number, const http::ResponseHead& head, http::Ends ends) override;
  void on_body(http::H2Stream number, std::string_view piece) override;
  void on_trailers(http::H2Stream number, std::span<const http::Field> fields) override;
  void on_end(http::H2Stream number) override;
  void on_closed(http::H2Stream) override {}
  void on_reset(http::H2Stream number, http::H2Reset reset) override;
  void on_room(http::H2Stream number) override;
  void on_settled() override {}
  void on_goaway(http::H2Stream, http::H2Code) override { is_going_ = true; }

  H2UpstreamStream* find(http::H2Stream number);
  // A stream of which nothing has been sent; null when there is none.
  H2UpstreamStream* find_unsent();
  void fail_connect(const std::string& detail);
  void read_some();
  void give_turns();
  // The connection has ended: open streams are told.
  void end();

  Loop& loop_;
  ReplicaId replica_;
  Transport transport_;
  http::H2Session session_;
  Outbox out_;
  bool is_connected_;
  bool may_read_ = false;
  bool may_write_;
  bool saw_end_ = false;
  bool is_going_ = false;       // no more streams are opened on it
  bool is_ended_ = false;       // the replica has closed it, or it is broken
  bool is_in_session_ = false;  // inside receive() or produce(), which must not be entered again
  std::uint64_t requests_ = 0;
  Timer timer_;
  std::unordered_map<H2UpstreamStream*, std::unique_ptr<H2UpstreamStream>> streams_;
  std::unordered_map<http::H2Stream, H2UpstreamStream*> by_number_;
  std::vector<http::H2Stream> turns_;
};

}  // namespace kelvin::gateway
