// h2_client: a client's HTTP/2 connection, with an exchange for each of its streams.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/client_connection.h"
#include "gateway/downstream.h"
#include "gateway/exchange.h"
#include "gateway/rate_watch.h"
#include "gateway/socket.h"
#include "gateway/timers.h"
#include "http/h2_session.h"

namespace kelvin::gateway {

class H2Client;

// One stream; its session names it by number. Owned by its connection, and by the loop once it is gone.
class H2ClientStream : public Downstream {
 public:
  H2ClientStream(H2Client& connection, http::H2Stream number);

  Exchange& exchange() { return exchange_; }
  // What the session tells of it.
  void add_body(std::string_view piece) { in_ += piece; }
  void add_trailers(std::span<const http::Field> fields);
  void end_body() { has_all_ = true; }
  // Nothing is sent on it any more.
  void go();
  void on_step_timeout();

  bool is_gone() const override { return is_gone_; }
  std::string_view address() const override;
  bool is_secure() const override;
  bool is_h2() const override { return true; }
  std::string text_of(const http::RequestHead& head) const override;
  BodyPiece read_body() override;
  void body_taken() override;
  bool hand_to_management() override { return false; }
  void send_continue() override;
  void send_interim(const http::ResponseHead& head) override;
  void send_head(const http::ResponseHead& head, const ReplyNotes& notes) override;
  void send_body(const ReplyPiece& piece) override;
  void send_own(const OwnReply& reply) override;
  void break_off(std::string_view last_words) override;
  bool has_room() override;
  std::size_t piece_bytes_max() const override;
  bool takes_pipe() const override { return false; }
  void advance() override;
  void watch(Awaited awaited) override;
  void close_after() override {}
  void abandon() override;

 private:
  void finish();
  // To the end of the silence that is borne, or of the window in which the body is measured.
  void set_step_timer();
  bool body_is_too_slow();

  H2Client& connection_;
  http::H2Stream number_;
  bool is_gone_ = false;
  bool is_broken_ = false;  // to be reset once what it said has left
  bool has_all_ = false;    // the whole body has come
  bool gave_all_ = false;   // and has been taken
  bool is_ended_ = false;   // our side is complete
  bool has_moved_ = false;  // since the last watch the client gave or took a byte
  std::size_t room_ = 0;    // at the last watch
  std::string in_;          // of the body; bounded by the stream's window
  std::string rest_;        // of an own reply that is longer than the outbox
  std::vector<std::pair<std::string, std::string>> trailers_;
  std::vector<http::Field> trailer_views_;
  Timer step_timer_;
  Instant silent_until_;  // then nothing has moved for too long
  RateWatch body_rate_;
  Exchange exchange_;
};

class H2Client : public ClientConnection, private http::H2Events {
 public:
  H2Client(Loop& loop, Transport transport, std::string address);

  void begin(std::string_view received) override;
  void on_events(std::uint32_t events) override;
  void on_step_timeout() override;
  void on_drain() override;
  void give_up() override;

  Loop& loop() { return loop_; }
  http::H2Session& session() { return session_; }
  bool is_secure() const { return transport_.is_secure(); }
  // What the session has to say goes out, as far as the client takes it.
  void flush();
  void reset_once_sent(http::H2Stream number);
  // The stream is forgotten; its object lives to the end of the turn.
  void drop(http::H2Stream number);

 private:
  void on_request(http::H2Stream number, const http::RequestHead& head, http::Ends ends) override;
  void on_refused(http::H2Stream number, const http::Outcome& refusal) override;
  void on_response(http::H2Stream, const http::ResponseHead&, http::Ends) override {}
  void on_body(http::H2Stream number, std::string_view piece) override;
  void on_trailers(http::H2Stream number, std::span<const http::Field> fields) override;
  void on_end(http::H2Stream number) override;
  void on_closed(http::H2Stream number) override;
  void on_reset(http::H2Stream number, http::H2Reset reset) override;
  void on_room(http::H2Stream number) override;
  void on_settled() override {}
  void on_goaway(http::H2Stream, http::H2Code) override {}

  bool is_flushed() const { return out_.empty() && !transport_.has_unsent(); }
  H2ClientStream& open(http::H2Stream number);
  H2ClientStream* find(http::H2Stream number);
  void take(std::string_view bytes);
  void read_some();
  void give_turns();
  bool produce_some();
  bool reset_broken();
  void mind_idleness();

  http::H2Session session_;
  Outbox out_;
  bool may_read_ = true;
  bool may_write_ = true;
  bool saw_end_ = false;        // the client's end has been announced
  bool holds_output_ = false;   // more is to come before it goes out
  bool is_in_session_ = false;  // inside receive() or produce(), which must not be entered again
  bool is_closing_ = false;     // its last words are on their way
  Timer step_timer_;
  std::unordered_map<http::H2Stream, std::unique_ptr<H2ClientStream>> streams_;
  std::vector<http::H2Stream> turns_;   // streams to which something has happened
  std::vector<http::H2Stream> broken_;  // to be reset once what they said has left
};

}  // namespace kelvin::gateway
