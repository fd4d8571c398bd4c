// Fuzzes the HTTP/2 session. The input is cut into pieces and fed to a server session, to a client
// session with requests under way, and byte by byte to a second server: heads that come out keep the
// promises that HTTP/1.1 is written from, every stream ends once, and nothing outgrows its limit.
#include "http/h2_session.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/check.h"

using namespace kelvin::http;

namespace {

constexpr std::size_t kOutbox = 4096;

H2Limits small_limits() {
  H2Limits limits;
  limits.streams_max = 8;
  limits.outbox_bytes_max = kOutbox;
  limits.resets_max = 20;
  limits.idle_bytes_max = 10000;
  limits.frames_waiting_max = 100;
  return limits;
}

void check_fields(std::span<const Field> fields) {
  for (const Field& field : fields) {
    KELVIN_CHECK(is_token(field.name) && is_field_value(field.value));
    for (const char c : field.name) KELVIN_CHECK(c < 'A' || c > 'Z');
    for (const char* name : {"connection", "keep-alive", "transfer-encoding", "upgrade"})
      KELVIN_CHECK(field.name != name);
  }
}

// Answers every request, consumes most bodies, resets some streams.
class Partner : public H2Events {
 public:
  H2Session* session = nullptr;
  std::map<H2Stream, int> ended;  // 0 while the stream lives
  std::string history;

  void on_request(H2Stream stream, const RequestHead& head, Ends ends) override {
    begin(stream);
    check_fields(head.fields);
    KELVIN_CHECK(is_token(head.method) && is_target(head.path) && is_host(head.host));
    KELVIN_CHECK(!head.host.empty() && head.method != "CONNECT");
    KELVIN_CHECK(head.path.front() == '/' || head.path == "*");
    note('q', stream, head.path);
    if (head.path.size() % 5 == 4) return session->reset(stream, H2Code::Cancel);
    if (head.path.size() % 5 == 3) session->discard(stream);
    session->submit_interim(stream, {.status = 103});
    session->submit_response(stream, {.status = 200, .fields = head.fields}, Ends::No);
    send(stream);
    if (ends == Ends::Yes) session->finish(stream, head.fields);
  }
  void on_refused(H2Stream stream, const Outcome& refusal) override {
    begin(stream);
    note('f', stream, refusal.why);
    session->submit_response(stream, {.status = refusal.status}, Ends::Yes);
  }
  void on_response(H2Stream stream, const ResponseHead& head, Ends) override {
    check(stream);
    check_fields(head.fields);
    KELVIN_CHECK(head.status >= 100 && head.status <= 599 && head.status != 101);
    note('p', stream, "");
  }
  void on_body(H2Stream stream, std::string_view piece) override {
    check(stream);
    KELVIN_CHECK(!piece.empty());
    body[stream] += piece;
    if (piece.front() != 'k') session->consume(stream, piece.size());
  }
  void on_trailers(H2Stream stream, std::span<const Field> fields) override {
    check(stream);
    check_fields(fields);
    note('t', stream, "");
  }
  void on_end(H2Stream stream) override {
    check(stream);
    note('e', stream, body[stream]);
    session->finish(stream);
  }
  void on_closed(H2Stream stream) override { end(stream); }
  void on_reset(H2Stream stream, H2Reset) override { end(stream); }
  void on_room(H2Stream stream) override {
    check(stream);
    if (rooms++ < 50) send(stream);
  }
  void on_settled() override {}
  void on_goaway(H2Stream, H2Code) override {}

 private:
  std::map<H2Stream, std::string> body;
  int rooms = 0;

  void send(H2Stream stream) {
    const std::string block(3000, 'b');
    const std::size_t room = session->room(stream);
    KELVIN_CHECK(room <= kOutbox);
    KELVIN_CHECK(session->send_body(stream, block) == std::min(room, block.size()));
  }
  void note(char what, H2Stream stream, std::string_view text) {
    history += what + std::to_string(stream) + std::string(text);
  }
  void begin(H2Stream stream) { KELVIN_CHECK(ended.emplace(stream, 0).second); }
  void check(H2Stream stream) { KELVIN_CHECK(ended.contains(stream) && ended[stream] == 0); }
  void end(H2Stream stream) {
    check(stream);
    ended[stream] = 1;
  }
};

void feed(H2Session& session, std::string_view bytes, std::size_t piece) {
  std::string out;
  while (!bytes.empty() && !session.is_over()) {
    const std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    (void)session.receive(part);
    KELVIN_CHECK(session.streams_open() <= 9);
    for (int i = 0; i < 100 && session.wants_write(); ++i) {
      out.clear();
      session.produce(out, 5000);
      KELVIN_CHECK(out.size() <= 5000 + 16 * 1024 + 9);
    }
  }
  if (!session.failure().empty()) KELVIN_CHECK(session.streams_open() == 0);
  session.lost();
  KELVIN_CHECK(session.streams_open() == 0 && !session.wants_write() && session.is_over());
}

std::string serve(std::string_view bytes, std::size_t piece) {
  Partner partner;
  H2Session session = H2Session::server(small_limits(), partner);
  partner.session = &session;
  feed(session, bytes, piece);
  return partner.history;
}

void ask(std::string_view bytes, std::size_t piece) {
  Partner partner;
  H2Session session = H2Session::client(small_limits(), partner);
  partner.session = &session;
  RequestHead head;
  head.host = "a";
  for (const auto& [method, path] : {std::pair("GET", "/"), {"POST", "/x"}, {"HEAD", "/"}}) {
    head.method = method;
    head.path = path;
    const bool has_body = head.method == "POST";
    const auto stream = session.submit_request(head, has_body ? Ends::No : Ends::Yes);
    KELVIN_CHECK(stream.has_value());
    partner.ended[*stream] = 0;
    if (has_body) session.send_body(*stream, std::string(5000, 'x'));
  }
  std::string out;
  session.produce(out, 1 << 20);
  feed(session, bytes, piece);
}

}  // namespace

// The first byte says how the input is cut and whether the opening of a connection is put in front.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = data[0] / 2 + 1U;
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  const std::string opened = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings;
  if (data[0] % 2 == 0) {
    serve(opened + bytes, piece * 64);
    serve(opened + bytes, 1);
    ask(settings + bytes, piece * 64);
  } else {
    serve(bytes, piece);
    ask(bytes, piece);
  }
  return 0;
}
