#include "api/api.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <exception>
#include <mutex>
#include <utility>

#include "api/connection.h"
#include "api/routes.h"
#include "api/service.h"
#include "http/write.h"
#include "model/ids.h"
#include "os/thread.h"

namespace kelvin::api {

namespace {

// Gateway loops count from 0 and their requests from 1; ids of management requests stay clear of both.
constexpr std::uint64_t kIdLoop = 15;
constexpr std::uint64_t kIdFirst = 1ULL << 39;

// RFC 9110 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". The C locale is the program's, whatever the environment says.
std::string http_date(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t bytes =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), bytes};
}

// What is answered when no thread is free: short, so that one write to a fresh socket takes it.
constexpr std::string_view kTurnedAway =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: "
    "1\r\n"
    "Content-Length: 189\r\nConnection: close\r\n\r\n"
    R"({"type":"about:blank","title":"Service Unavailable","status":503,"code":"api_busy",)"
    R"("detail":"All threads of the management API are busy.","next":"Try again in a second.","complaints":null})"
    "\n";
static_assert(kTurnedAway.size() - kTurnedAway.find("\r\n\r\n") - 4 == 189);

struct Request {
  http::RequestHead head;
  std::string id;
  std::string key;  // prefix of the key that was shown
  Instant arrived;
};

std::string common_fields(const Service& service, const Request& request) {
  const Instant now = service.ports.clock.now();
  const std::int64_t micros = (now - request.arrived).count() / 1000;
  std::string out;
  http::append_field(out, "Date", http_date(service.unix_ms(now)));
  http::append_field(out, "Kelvin-Request-Id", request.id);
  http::append_field(
      out, "Server-Timing",
      "api;dur=" + std::to_string(micros / 1000) + "." + std::to_string(micros / 100 % 10));
  http::append_field(out, "Cache-Control", "no-store");
  http::append_field(out, "X-Content-Type-Options", "nosniff");
  http::append_field(out, "Connection", "close");
  return out;
}

OrProblem<void> check_payload(const Route& route, const http::RequestHead& head) {
  if (route.payload == Payload::None) return {};
  const std::string_view wanted =
      route.payload == Payload::Json ? "application/json" : "application/octet-stream";
  const http::Field* field = head.find("Content-Type");
  std::string_view type = field == nullptr ? std::string_view() : field->value;
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  if (http::same_name(type, wanted)) return {};
  return refuse({.status = 415,
                 .code = "wrong_content_type",
                 .detail = "This path takes " + std::string(wanted) + " only.",
                 .next = "Send it with 'Content-Type: " + std::string(wanted) + "'."});
}

// Every check in front of a route, then the route.
Answer answer(Service& service, Request& request, Connection& connection) {
  const http::RequestHead& head = request.head;
  const std::string_view path = head.path.substr(0, head.path.find('?'));
  KELVIN_ANSWER_TRY(Match match, find_route(head.method == "HEAD" ? "GET" : head.method, path));
  const Route& route = *match.route;
  if (route.need != Need::Nothing) {
    KELVIN_ANSWER_TRY_VOID(check_host(head, service.options.listen, service.options.other_hosts));
  }
  if (route.need == Need::AdminKey) {
    KELVIN_ANSWER_TRY(const model::Key key, service.keys.check_admin(head));
    request.key = key.prefix;
  }
  KELVIN_ANSWER_TRY_VOID(check_payload(route, head));
  const std::string_view behind = head.path.substr(std::min(path.size() + 1, head.path.size()));
  KELVIN_ANSWER_TRY(Query query, Query::parse(behind));
  std::string head_start;
  http::append_status_line(head_start, 200);
  head_start += common_fields(service, request);
  Call call{.head = head,
            .parameters = std::move(match.parameters),
            .query = std::move(query),
            .connection = connection,
            .head_start = std::move(head_start)};
  return route.answer(service, call);
}

// The one place where exceptions of libraries end.
Answer answer_safely(Service& service, Request& request, Connection& connection) {
  try {
    return answer(service, request, connection);
  } catch (const std::exception& problem) {
    return refuse(to_problem(
        Error{.code = Code::Internal, .what = std::string("unexpected: ") + problem.what()}));
  }
}

void send_reply(const Service& service, const Request& request, Connection& connection,
                const Reply& reply) {
  std::string out;
  http::append_status_line(out, reply.status);
  out += common_fields(service, request);
  http::append_field(out, "Content-Type", reply.content_type);
  http::append_field(out, "Content-Length", reply.body.size());
  out += reply.extra_fields;
  out += "\r\n";
  if (request.head.method != "HEAD") out += reply.body;
  (void)connection.send(out);
}

void log_request(Service& service, const Request& request, int status) {
  const bool is_reading = request.head.method == "GET" || request.head.method == "HEAD";
  obs::Level level = is_reading ? obs::Level::Debug : obs::Level::Info;
  if (status == 401 || status == 403) level = obs::Level::Warn;
  if (status >= 500) level = obs::Level::Error;
  const std::string_view path = request.head.path.substr(0, request.head.path.find('?'));
  service.ports.log.write(level, "management request",
                          {{"method", std::string(request.head.method)},
                           {"path", std::string(path)},
                           {"status", std::to_string(status)},
                           {"key", request.key},
                           {"request", request.id}});
}

}  // namespace

struct Api::Parts {
  Parts(ApiOptions options, const ApiPorts& ports) : service(std::move(options), ports) {}

  void run();
  void serve(Connection::Accepted accepted);

  Service service;
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Connection::Accepted> waiting;
  std::atomic<bool> is_closing{false};
  std::atomic<std::uint64_t> requests{0};
  std::vector<os::Thread> threads;
};

Api::Api(ApiOptions options, const ApiPorts& ports)
    : parts_(std::make_unique<Parts>(std::move(options), ports)) {}

Api::~Api() { stop(); }

Status Api::start() {
  KELVIN_TRY_VOID(
      parts_->service.keys.load(parts_->service.ports.store, parts_->service.ports.data_plane));
  parts_->service.collector.start();
  for (std::size_t i = 0; i < parts_->service.options.limits.threads; ++i) {
    parts_->threads.emplace_back("api-" + std::to_string(i),
                                 [parts = parts_.get()] { parts->run(); });
  }
  return {};
}

void Api::stop_for(ports::Management& next) {
  std::deque<Connection::Accepted> waiting;
  {
    const std::scoped_lock lock(parts_->mutex);
    parts_->is_closing = true;
    waiting.swap(parts_->waiting);
  }
  for (Connection::Accepted& one : waiting)
    next.take(one.socket.release(), std::move(one.received));
  stop();
}

void Api::stop() {
  {
    const std::scoped_lock lock(parts_->mutex);
    parts_->is_closing = true;
    parts_->waiting.clear();
  }
  parts_->arrived.notify_all();
  parts_->threads.clear();
  parts_->service.collector.stop();
}

void Api::take(int fd, std::string received) {
  os::Fd socket(fd);
  {
    const std::scoped_lock lock(parts_->mutex);
    if (parts_->is_closing) return;
    if (parts_->waiting.size() < parts_->service.options.limits.connections_waiting_max) {
      parts_->waiting.push_back({std::move(socket), std::move(received)});
      parts_->arrived.notify_one();
      return;
    }
  }
  parts_->service.connections_turned_away += 1;
  (void)::send(socket.get(), kTurnedAway.data(), kTurnedAway.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Api::Parts::run() {
  while (true) {
    std::unique_lock lock(mutex);
    arrived.wait(lock, [this] { return !waiting.empty() || is_closing; });
    if (is_closing) return;
    Connection::Accepted next = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    serve(std::move(next));
  }
}

void Api::Parts::serve(Connection::Accepted accepted) {
  Connection connection(std::move(accepted), service.options.limits, is_closing);
  Request request;
  request.arrived = service.ports.clock.now();
  request.id =
      model::to_text(model::make_request_id(service.options.epoch, kIdLoop, kIdFirst + ++requests));
  const std::optional<http::Outcome> read = connection.read_head(request.head);
  if (!read) return;
  Reply reply;
  if (read->parsed == http::Parsed::Refused) {
    request.head = {};
    reply = to_reply(
        {.status = read->status, .code = "malformed_request", .detail = std::string(read->why)});
  } else {
    Answer outcome = answer_safely(service, request, connection);
    reply = outcome ? std::move(*outcome) : to_reply(outcome.error());
  }
  if (!reply.is_sent) send_reply(service, request, connection, reply);
  log_request(service, request, reply.status);
  connection.finish();
}

}  // namespace kelvin::api
