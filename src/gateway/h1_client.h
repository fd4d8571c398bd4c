// h1_client: a client's HTTP/1 connection, with one exchange on it at a time.
//
//   ReadingHead -> Serving -> Flushing -> ReadingHead, or Lingering
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "gateway/body.h"
#include "gateway/client_connection.h"
#include "gateway/downstream.h"
#include "gateway/exchange.h"
#include "gateway/rate_watch.h"
#include "gateway/socket.h"
#include "gateway/timers.h"

namespace kelvin::gateway {

class H1Client : public ClientConnection, public Downstream {
 public:
  H1Client(Loop& loop, Transport transport, std::string address);

  void begin(std::string_view received) override;
  void on_events(std::uint32_t events) override;
  void on_step_timeout() override;
  void on_drain() override;
  void on_retire() override { is_retired_ = true; }
  void give_up() override { abandon(); }

  bool is_gone() const override { return is_discarded(); }
  std::string_view address() const override { return address_; }
  bool is_secure() const override { return transport_.is_secure(); }
  bool is_h2() const override { return false; }
  std::string text_of(const http::RequestHead& head) const override;
  BodyPiece read_body() override;
  void body_taken() override;
  bool hand_to_management() override;
  void send_continue() override;
  void send_interim(const http::ResponseHead& head) override;
  void send_head(const http::ResponseHead& head, const ReplyNotes& notes) override;
  void send_body(const ReplyPiece& piece) override;
  void send_own(const OwnReply& reply) override;
  void break_off(std::string_view last_words) override;
  bool has_room() override;
  std::size_t piece_bytes_max() const override { return piece_bytes_max_; }
  bool takes_pipe() const override;
  void advance() override;
  void watch(Awaited awaited) override;
  void close_after() override { closes_ = true; }
  void abandon() override;

 private:
  enum class Step : std::uint8_t { ReadingHead, Serving, Flushing, Lingering };

  // True: there may be more to do at once.
  bool take_step();
  bool read_head();
  bool read_line_end();
  void serve(const http::RequestHead& head);
  bool flush();
  void next_request();
  void begin_linger();
  void linger();
  // Reads once; true when bytes have come.
  bool read_more();
  // Nothing that was sent waits here.
  bool is_flushed() const { return out_.empty() && !transport_.has_unsent(); }
  bool body_is_here() const { return body_.fits(in_.view().size() - in_hand_); }
  void send(std::initializer_list<std::string_view> parts);
  void note(const Sent& sent);
  void learn_piece_size(std::size_t bytes);
  void set_step(Step step, Duration at_most);
  // To the end of the silence that is borne, or of the window in which a body is measured.
  void set_step_timer();

  Step step_ = Step::ReadingHead;
  bool may_read_ = true;
  bool may_write_ = true;
  bool saw_end_ = false;         // the client sends no more
  bool is_drained_ = false;      // no further request is taken
  bool is_retired_ = false;      // the next reply that begins says that it is the last
  bool head_has_begun_ = false;  // of the next request
  bool is_first_ = true;         // nothing has come yet: it may turn out to be HTTP/2
  bool has_moved_ = false;       // since the last watch the client gave or took a byte
  std::size_t in_hand_ = 0;      // bytes at the front of in_ that are read, but not consumed yet
  Inbox in_;
  Outbox out_;
  Timer step_timer_;
  Instant silent_until_;  // of the request being served: then nothing has moved for too long
  RateWatch body_rate_;   // of its body

  // Of the request being served.
  Exchange exchange_;
  BodyReader body_;      // as it comes in
  bool is_old_ = false;  // HTTP/1.0: neither chunks nor interim replies may be sent
  bool keeps_alive_ = true;
  bool closes_ = false;  // the connection ends with this reply
  BodyOut reply_form_;
  std::size_t piece_bytes_max_;
};

}  // namespace kelvin::gateway
