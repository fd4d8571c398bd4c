// testbed: a gateway on loopback between scripted clients and scripted replicas.
#include "gateway/testbed.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/sha.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

#include "base/check.h"
#include "gateway/body.h"

namespace kelvin::gateway::testbed {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);

os::Fd listen_on_loopback(std::uint16_t& port) {
  os::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  KELVIN_CHECK(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0);
  KELVIN_CHECK(::listen(fd.get(), 128) == 0);
  socklen_t length = sizeof(at);
  KELVIN_CHECK(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &length) == 0);
  port = ntohs(at.sin_port);
  return fd;
}

void limit_waits(int fd) {
  timeval limit{};
  limit.tv_sec = kPatience.count();
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

}  // namespace

void RecordedControl::post(model::Event event) {
  const std::lock_guard lock(mutex_);
  if (const auto* busy = std::get_if<model::BusyMeasured>(&event)) busy_.push_back(*busy);
  events_.push_back(std::move(event));
  arrived_.notify_all();
}

model::Event RecordedControl::take_first(
    const std::function<bool(const model::Event&)>& is_wanted) {
  std::unique_lock lock(mutex_);
  model::Event taken;
  const bool came = arrived_.wait_for(lock, kPatience, [&] {
    for (auto at = events_.begin(); at != events_.end(); ++at) {
      if (!is_wanted(*at)) continue;
      taken = std::move(*at);
      events_.erase(at);
      return true;
    }
    return false;
  });
  KELVIN_CHECK(came);
  return taken;
}

std::vector<model::BusyMeasured> RecordedControl::busy_reports() {
  const std::lock_guard lock(mutex_);
  return busy_;
}

void RecordedManagement::take(int fd, std::string received) {
  const std::lock_guard lock(mutex_);
  taken_.emplace_back(os::Fd(fd), std::move(received));
  arrived_.notify_all();
}

std::pair<os::Fd, std::string> RecordedManagement::next() {
  std::unique_lock lock(mutex_);
  KELVIN_CHECK(arrived_.wait_for(lock, kPatience, [&] { return !taken_.empty(); }));
  auto taken = std::move(taken_.front());
  taken_.pop_front();
  return taken;
}

std::string Reply::field(std::string_view name) const {
  http::ResponseHead parsed;
  static_cast<void>(http::parse_response(head, {}, parsed));
  const http::Field* found = parsed.find(name);
  return found == nullptr ? std::string() : std::string(found->value);
}

Wire::Wire(os::Fd fd) : fd_(std::move(fd)) { limit_waits(fd_.get()); }

void Wire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the other side has gone: what it said is for the test to read
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::size_t Wire::send_without_waiting(std::string_view bytes) {
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

std::string Wire::read_some() {
  if (!held_.empty()) return std::exchange(held_, {});
  std::array<char, 16 * 1024> buffer{};
  const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  EXPECT_FALSE(got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) << "nothing came in time";
  return got <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(got));
}

std::string Wire::read_exactly(std::size_t count) {
  std::string all;
  while (all.size() < count) {
    const std::string more = read_some();
    if (more.empty()) return all;
    all += more;
  }
  held_ = all.substr(count);
  all.resize(count);
  return all;
}

std::string Wire::read_until(std::string_view mark) {
  std::string all;
  while (all.find(mark) == std::string::npos) {
    const std::string more = read_some();
    if (more.empty()) return all;
    all += more;
  }
  const std::size_t end = all.find(mark) + mark.size();
  held_ = all.substr(end);
  all.resize(end);
  return all;
}

std::string Wire::read_to_end() {
  std::string all;
  while (true) {
    const std::string more = read_some();
    if (more.empty()) return all;
    all += more;
  }
}

bool Wire::has_ended() { return read_some().empty(); }

void Wire::finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }

void Wire::reset() {
  linger hard{};
  hard.l_onoff = 1;
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  fd_.reset();
}

std::string Wire::take_body(http::Framing framing, std::uint64_t length, bool& is_whole) {
  BodyReader reader(framing, length);
  std::string body;
  while (!reader.is_done()) {
    std::string bytes = read_some();
    if (bytes.empty()) {
      is_whole = framing == http::Framing::UntilClose;
      return body;
    }
    const auto piece = reader.read(bytes);
    EXPECT_FALSE(piece.is_refused) << piece.why;
    if (piece.is_refused) return body;
    body += piece.payload;
    held_ = bytes.substr(piece.consumed);
  }
  is_whole = true;
  return body;
}

std::string Wire::read_request() {
  const std::string head = read_until("\r\n\r\n");
  http::RequestHead parsed;
  const auto outcome = http::parse_request(head, {}, parsed);
  if (outcome.parsed != http::Parsed::Done) return head;
  bool is_whole = false;
  return head + take_body(http::framing_of(parsed), parsed.content_length.value_or(0), is_whole);
}

Reply Wire::read_reply(std::string_view method) {
  Reply reply;
  reply.head = read_until("\r\n\r\n");
  http::ResponseHead parsed;
  const auto outcome = http::parse_response(reply.head, {}, parsed);
  EXPECT_EQ(outcome.parsed, http::Parsed::Done) << reply.head;
  if (outcome.parsed != http::Parsed::Done) return reply;
  reply.status = parsed.status;
  reply.body = take_body(http::framing_of(parsed, method), parsed.content_length.value_or(0),
                         reply.is_whole);
  return reply;
}

ScriptedReplica::ScriptedReplica() {
  listening_ = listen_on_loopback(port_);
  limit_waits(listening_.get());
}

std::optional<Wire> ScriptedReplica::try_accept() {
  os::Fd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd.is_open()) return std::nullopt;
  return Wire(std::move(fd));
}

void ScriptedReplica::shorten_backlog() { KELVIN_CHECK(::listen(listening_.get(), 0) == 0); }

void ScriptedReplica::interrupt() { ::shutdown(listening_.get(), SHUT_RDWR); }

Wire ScriptedReplica::accept() {
  os::Fd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  KELVIN_CHECK(fd.is_open());
  return Wire(std::move(fd));
}

Testbed::Testbed(const BedSetup& setup)
    : control(setup.control == nullptr ? own_control : *setup.control),
      table_(entries_),
      loops_(setup.loops) {
  listening_ = listen_on_loopback(port_);
  GatewayOptions options{.listening = {{listening_.get(), setup.tls != nullptr}},
                         .tls = setup.tls,
                         .loops = setup.loops,
                         .limits = setup.limits,
                         .is_open = setup.is_open,
                         .own_hosts = setup.own_hosts,
                         .epoch = 3,
                         .records = setup.records,
                         .count_as = setup.count_as};
  auto made = Gateway::create(
      std::move(options),
      {.control = &control, .slots = &table_, .management = &management, .clock = &clock});
  KELVIN_CHECK(made.has_value());
  gateway = std::move(*made);
  gateway->start();
}

Testbed::~Testbed() {
  gateway.reset();
  // Whatever happened, no slot may stay taken once the gateway has ended.
  for (std::uint32_t slot = 0; slot < table_.size(); ++slot)
    EXPECT_EQ(table_.read(slot).in_flight, 0u) << slot;
}

Wire Testbed::connect(const char* from) {
  os::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (from != nullptr) {
    KELVIN_CHECK(::inet_pton(AF_INET, from, &to.sin_addr) == 1);
    KELVIN_CHECK(::bind(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0);
  }
  to.sin_port = htons(port_);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  KELVIN_CHECK(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0);
  return Wire(std::move(fd));
}

model::RouteReplica Testbed::open_replica(std::uint64_t number, std::uint16_t port,
                                          std::uint32_t slots) {
  const auto slot = static_cast<std::uint32_t>(number);
  table_.open({slot, 1});
  return {
      .id = {number}, .revision = {1}, .slot = slot, .generation = 1, .slots = slots, .port = port};
}

void Testbed::set_route(model::Route route) {
  gateway->change_route(route);
  settle();
}

void Testbed::set_app(const std::string& name, std::vector<model::RouteReplica> replicas) {
  set_route({.app = {1}, .name = name, .replicas = std::move(replicas)});
}

void Testbed::set_keys(std::vector<model::Key> keys) {
  gateway->change_keys(std::make_shared<const std::vector<model::Key>>(std::move(keys)));
  settle();
}

void Testbed::settle() {
  const std::size_t before = control.busy_reports().size();
  gateway->ask_busy();
  for (std::uint32_t seen = 0; seen < loops_;) {
    control.next<model::BusyMeasured>();
    seen = static_cast<std::uint32_t>(control.busy_reports().size() - before);
  }
}

void Testbed::hand_over(const model::Demand& demand, const model::RouteReplica& replica,
                        model::Temperature woke_from, std::vector<model::StageTime> stages) {
  KELVIN_CHECK(table_.try_take({replica.slot, replica.generation}, replica.slots));
  gateway->hand_over({.request = demand.request,
                      .loop = demand.loop,
                      .replica = replica,
                      .woke_from = woke_from,
                      .stages = std::move(stages)});
}

void Testbed::wait_for_in_flight(std::uint64_t number, std::uint32_t count) {
  const Instant until = clock.now() + kPatience;
  while (word_of(number).in_flight != count) {
    KELVIN_CHECK(clock.now() < until);
    settle();
  }
}

model::Key make_key(std::uint64_t id, const std::string& text, model::Scopes scopes) {
  model::Key key{.id = {id}, .name = "test", .prefix = text.substr(3, 8), .scopes = scopes};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.hash.data());
  return key;
}

std::string shape_of(std::string_view text) {
  std::string shape;
  for (const char c : text) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit || !shape.ends_with('#')) shape += is_digit ? '#' : c;
  }
  return shape;
}

std::string get(std::string_view path, std::string_view host, std::string_view fields) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n" +
         std::string(fields) + "\r\n";
}

std::string post(std::string_view path, std::string_view body, std::string_view host,
                 std::string_view fields) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: " + std::string(host) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) +
         "\r\n" + std::string(body);
}

std::string ok(std::string_view body, std::string_view fields) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

FirstRequest::FirstRequest() {
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  client = bed.connect();
  client.send(get("/"));
  upstream = replica.accept();
  upstream.read_request();
}

}  // namespace kelvin::gateway::testbed
