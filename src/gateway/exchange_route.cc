// exchange_route: which app a request is for, and whether it may be called.
#include <algorithm>

#include "core/admit/admit.h"
#include "gateway/exchange.h"
#include "gateway/h1_upstream.h"
#include "http/write.h"
#include "model/ids.h"

namespace kelvin::gateway {
namespace {

std::string_view value_of(const http::Head& head, std::string_view name) {
  const http::Field* field = head.find(name);
  return field == nullptr ? std::string_view() : field->value;
}

admit::Caller caller_of(const http::RequestHead& head, const Shown& shown, bool is_open) {
  admit::Caller caller{.is_on_loopback = is_open,
                       .presented = shown.presented,
                       .origin = value_of(head, "Origin"),
                       .host = head.host};
  if (shown.key != nullptr) {
    caller.scopes = shown.key->scopes;
    caller.workspace = shown.key->workspace;
  }
  return caller;
}

model::Refusal refusal_of(ModelSearch search) {
  switch (search) {
    case ModelSearch::Found:
      break;
    case ModelSearch::InvalidBody:
      return {.status = 400,
              .code = "invalid_body",
              .sentence = "The body is neither a JSON object nor a form that can be read."};
    case ModelSearch::Missing:
      return {.status = 400,
              .code = "model_missing",
              .sentence =
                  "The body names no model. Add \"model\" with the name of an app; GET /v1/models "
                  "lists them."};
    case ModelSearch::Repeated:
      return {.status = 400,
              .code = "model_repeated",
              .sentence = "The body names a model more than once."};
    case ModelSearch::NotText:
      return {.status = 400,
              .code = "model_invalid",
              .sentence = "The body's \"model\" is not the name of an app."};
  }
  return {};
}

// How a body of any framing goes on to a replica.
BodyOut form_of(const RequestBody& body) {
  if (!body.exists) return {};
  if (!body.length) return {.framing = http::Framing::Chunked};
  return {.framing = http::Framing::Length, .length = *body.length};
}

// The head was within its limits when it came; written anew it may be longer.
constexpr http::Limits kAnyHead{
    .head_bytes_max = 1024 * 1024, .fields_max = 4096, .target_bytes_max = 1024 * 1024};

void append_model(std::string& body, const AppRoute& app) {
  body += "{\"id\":\"";
  http::append_json_text(body, app.route.name);
  body += "\",\"object\":\"model\",\"created\":" + std::to_string(app.created_unix_s) +
          ",\"owned_by\":\"";
  http::append_json_text(body, app.route.workspace);
  body += "\"}";
}

}  // namespace

void Exchange::begin(const http::RequestHead& head, const RequestBody& body) {
  State& e = s_;
  e.is_head = head.method == "HEAD";
  e.body = body;
  e.body_is_over = !body.exists;
  request_out_.clear();
  Destination to = find_destination(head.host, head.path, loop_.shared().own_hosts);
  e.is_openai = to.surface == Surface::OpenAi;
  note_head(head, to.surface);
  if (refuse_early(head, to)) return;
  switch (to.surface) {
    case Surface::App:
      return route_to_app(head, std::move(to));
    case Surface::OpenAi:
      return begin_openai(head);
    case Surface::Management:
      if (downstream_.hand_to_management()) return set_over();
      return route_to_management(head);
    case Surface::Nowhere:
    case Surface::ForeignHost:
      return;  // refused above
  }
}

bool Exchange::refuse_early(const http::RequestHead& head, const Destination& to) {
  if (to.surface == Surface::Management) return false;
  if (to.surface == Surface::ForeignHost) {
    refuse({.status = 403,
            .code = "host_refused",
            .sentence = "This server is not called by that host name. Use localhost, "
                        "NAME.localhost, its address, or "
                        "a name it was started with."});
    return true;
  }
  if (!to.refusal.empty()) {
    refuse({.status = 400, .code = "path_ambiguous", .sentence = std::string(to.refusal)});
    return true;
  }
  if (to.surface == Surface::Nowhere) {
    refuse({.status = 404,
            .code = "path_not_found",
            .sentence = "Nothing is served at this path. Apps are at NAME.localhost and "
                        "/apps/NAME/, the OpenAI API "
                        "at /v1, management at /api/v1."});
    return true;
  }
  if (http::list_has(value_of(head, "Prefer"), "respond-async")) {
    refuse({.status = 501,
            .code = "async_not_served",
            .sentence =
                "Answers that are fetched later (Prefer: respond-async) are not served by this "
                "version. Leave the preference out and wait for the answer."});
    return true;
  }
  if (head.upgrades) return refuse_upgrade(head, to);
  return false;
}

// Offers of other HTTP versions may be ignored: the request is answered as it is.
bool Exchange::refuse_upgrade(const http::RequestHead& head, const Destination& to) {
  const std::string_view protocol = value_of(head, "Upgrade");
  if (http::same_name(protocol, "h2c") || protocol.find("HTTP/") != std::string_view::npos ||
      protocol.find("TLS/") != std::string_view::npos)
    return false;
  if (to.surface == Surface::App && !s_.body.exists && head.method == "GET") {
    s_.wants_tunnel = true;
    return false;
  }
  downstream_.close_after();
  refuse({.status = 501,
          .code = "upgrade_not_served",
          .sentence = "A connection is upgraded (WebSocket) only by a GET without a body, at the "
                      "address of an app: NAME.localhost or /apps/NAME/."});
  return true;
}

// Refusals of the key and of the origin, before any app is known.
std::optional<model::Refusal> Exchange::check_caller(const http::RequestHead& head,
                                                     bool with_origin) {
  const Shown shown = judge_bearer(loop_.keys(), bearer_of(value_of(head, "Authorization")));
  admit::Question question{.surface = admit::Surface::OpenAi,
                           .caller = caller_of(head, shown, loop_.shared().is_open)};
  if (!with_origin) question.caller.origin = {};
  model::Route any;
  if (shown.key != nullptr) any.workspace = shown.key->workspace;
  question.route = &any;
  admit::Answer answer = admit::admit(question);
  if (answer.verdict != admit::Verdict::Refuse) return std::nullopt;
  return std::move(answer.refusal);
}

bool Exchange::is_admitted(const http::RequestHead& head, std::string_view name) {
  State& e = s_;
  const Shown shown = judge_bearer(loop_.keys(), bearer_of(value_of(head, "Authorization")));
  const admit::Question question{
      .surface = e.is_openai ? admit::Surface::OpenAi : admit::Surface::App,
      .caller = caller_of(head, shown, loop_.shared().is_open),
      .name = name,
      .route = e.app == nullptr ? nullptr : &e.app->route,
      .body_bytes = head.content_length.value_or(0),
      .now = loop_.now()};
  const admit::Answer answer = admit::admit(question);
  if (answer.verdict == admit::Verdict::Refuse) {
    refuse(answer.refusal);
    return false;
  }
  e.removes_authorization = answer.takes_key;
  if (answer.is_cross_origin) e.allowed_origin = question.caller.origin;
  if (shown.key != nullptr) {
    e.key = shown.key->id;
    e.key_weight = shown.key->weight;
    e.note.key_prefix.assign(shown.key->prefix);
  }
  return true;
}

// A browser asks before it sends a cross-origin request. True: answered.
bool Exchange::reply_preflight(const http::RequestHead& head, const AppRoute* app) {
  const std::string_view origin = value_of(head, "Origin");
  const std::string_view method = value_of(head, "Access-Control-Request-Method");
  if (head.method != "OPTIONS" || method.empty() || admit::is_same_origin(origin, head.host))
    return false;
  // Under /v1 the body would name the app: any app that allows the origin will do, the request itself is judged again.
  const auto allows = [&](const AppRoute& entry) {
    return admit::is_allowed_origin(origin, entry.route.cors);
  };
  const auto& all = loop_.routes().all();
  const bool is_allowed =
      s_.is_openai ? std::any_of(all.begin(), all.end(),
                                 [&](const auto& entry) { return allows(*entry.second); })
                   : app != nullptr && allows(*app);
  if (!is_allowed) {
    refuse({.status = 403,
            .code = "origin_refused",
            .sentence = "Web pages of another origin may not call this app. Name the origin under "
                        "'cors' in the app "
                        "file and deploy again."});
    return true;
  }
  std::string fields;
  http::append_field(fields, "Access-Control-Allow-Origin", origin);
  http::append_field(fields, "Access-Control-Allow-Methods", method);
  if (const http::Field* names = head.find("Access-Control-Request-Headers"))
    http::append_field(fields, "Access-Control-Allow-Headers", names->value);
  http::append_field(fields, "Access-Control-Max-Age", std::uint64_t{600});
  http::append_field(fields, "Vary", "Origin");
  reply_own({.status = 204, .extra_fields = fields});
  return true;
}

void Exchange::route_to_app(const http::RequestHead& head, Destination to) {
  State& e = s_;
  e.app = loop_.routes().find(to.workspace, to.name);
  if (e.app == nullptr) {
    Destination second = in_workspace(to);
    if (second.surface == Surface::App) {
      e.app = loop_.routes().find(second.workspace, second.name);
      if (e.app != nullptr) to = std::move(second);
    }
  }
  if (reply_preflight(head, e.app.get())) return;
  if (!is_admitted(head, to.name) || !read_wishes_of(head)) return;
  // What has come of the body is not looked at yet: only a body under /v1 has a prompt.
  draw_place(head, {.is_whole = !e.body.exists});
  e.wants_progress = may_be_told_progress(head, false);
  e.body_form = form_of(e.body);
  std::string path;
  if (to.path.empty() || to.path.front() == '?') path = "/" + std::string(to.path);
  write_request_head(head, path.empty() ? to.path : path, to.prefix);
  seek_slot();
}

// Where the connection itself cannot be handed over, management answers at the other end of a socket pair.
void Exchange::route_to_management(const http::RequestHead& head) {
  s_.body_form = form_of(s_.body);
  write_request_head(head, head.path, {});
  auto made = loop_.connect_management();
  if (!made) {
    return refuse({.status = 503,
                   .code = "descriptors_exhausted",
                   .sentence = "Management cannot be reached: " + made.error().what +
                               ". Try again in a moment.",
                   .retry_after = 1s});
  }
  (*made)->bind(*this, s_.body_form);
  upstream_ = *made;
  step_ = Step::Proxying;
}

void Exchange::write_request_head(const http::RequestHead& head, std::string_view path,
                                  std::string_view prefix) {
  s_.awaits_continue = head.expects_continue && !s_.is_openai && s_.body.exists;
  const std::string id = model::to_text(s_.id);
  const RequestTrace& trace = s_.note.trace;
  const auto parent = trace.traceparent();
  const std::string_view traceparent(parent.data(), trace.has_span() ? parent.size() : 0);
  std::string& text = loop_.scratch();
  text.clear();
  append_forwarded_head(
      text, head,
      {.path = path,
       .prefix = prefix,
       .client_address = downstream_.address(),
       .request_id = id,
       .upgrade = s_.wants_tunnel ? value_of(head, "Upgrade") : std::string_view(),
       .traceparent = traceparent,
       .restarts_trace = trace.is_restarted,
       .body = s_.body_form,
       .is_secure = downstream_.is_secure(),
       .removes_authorization = s_.removes_authorization,
       .passes_expect = s_.awaits_continue,
       .wants_plain_reply = s_.wants_progress});
  request_out_.clear();
  request_out_.keep(text);
}

// --- /v1 ---------------------------------------------------------------------------------------

void Exchange::begin_openai(const http::RequestHead& head) {
  if (reply_preflight(head, nullptr)) return;
  const std::string_view path = head.path.substr(0, head.path.find('?'));
  const bool reads = head.method == "GET" || head.method == "HEAD";
  const bool is_models = path == "/v1/models" || path.starts_with("/v1/models/");
  if (const auto refusal = check_caller(head, reads && is_models)) return refuse(*refusal);
  if (reads && is_models) return reply_models(head);
  if (!s_.body.exists) {
    return refuse(
        {.status = 400,
         .code = "body_missing",
         .sentence = "Requests under /v1 name their model in a body, and this one has none."});
  }
  if (s_.body.length.value_or(0) > loop_.limits().held_body_max) return refuse_long_body();
  s_.raw_head = downstream_.text_of(head);
  step_ = Step::HoldingBody;
  downstream_.watch(Awaited::BodyInTime);
  if (head.expects_continue) downstream_.send_continue();
}

void Exchange::refuse_long_body() {
  refuse({.status = 413,
          .code = "body_too_large",
          .sentence = "The body is longer than the " +
                      std::to_string(loop_.limits().held_body_max) +
                      " bytes that are held under /v1. Send less, or call the app by its own "
                      "address, which takes bodies of any length."});
}

void Exchange::hold_body() {
  std::size_t moved = 0;
  while (step_ == Step::HoldingBody) {
    const BodyPiece piece = downstream_.read_body();
    switch (piece.kind) {
      case BodyPiece::Kind::NotYet:
        return downstream_.watch(Awaited::BodyInTime);
      case BodyPiece::Kind::Left:
        return downstream_.abandon();
      case BodyPiece::Kind::Broken:
        downstream_.close_after();
        return refuse(
            {.status = 400, .code = "malformed_body", .sentence = std::string(piece.why)});
      case BodyPiece::Kind::Bytes:
        break;
    }
    s_.body_is_over = piece.is_last;
    moved += piece.payload.size();
    const bool is_kept = keep_body(piece.payload);
    downstream_.body_taken();
    if (!is_kept) return;
    if (piece.is_last) {
      downstream_.watch(Awaited::Nothing);
      return finish_openai();
    }
    if (moved > loop_.limits().burst_bytes) {
      downstream_.watch(Awaited::BodyInTime);
      return loop_.call_again(downstream_);
    }
  }
}

// False: a refusal has been written.
bool Exchange::keep_body(std::string_view payload) {
  const GatewayLimits& limits = loop_.limits();
  if (s_.held.size() + payload.size() > limits.held_body_max) {
    refuse_long_body();
    return false;
  }
  auto& held = loop_.shared().held_bytes;
  if (held.fetch_add(payload.size(), std::memory_order_relaxed) + payload.size() >
      limits.held_total_max) {
    held.fetch_sub(payload.size(), std::memory_order_relaxed);
    refuse({.status = 503,
            .code = "bodies_exhausted",
            .sentence = "The memory for waiting request bodies is used up. Try again in a moment.",
            .retry_after = 1s});
    return false;
  }
  s_.held += payload;
  return true;
}

void Exchange::finish_openai() {
  State& e = s_;
  const std::string raw_head = std::move(e.raw_head);
  http::RequestHead& head = loop_.request_head();
  static_cast<void>(http::parse_request(raw_head, kAnyHead, head));
  const ModelField field = find_model(value_of(head, "Content-Type"), e.held);
  if (field.search != ModelSearch::Found) return refuse(refusal_of(field.search));
  const Shown shown = judge_bearer(loop_.keys(), bearer_of(value_of(head, "Authorization")));
  e.app = loop_.routes().find(shown.key == nullptr ? std::string_view() : shown.key->workspace,
                              field.model);
  if (!is_admitted(head, field.model) || !read_wishes_of(head)) return;
  draw_place(head, {.bytes = field.is_json ? std::string_view(e.held) : std::string_view(),
                    .is_json = field.is_json,
                    .is_whole = true});
  const std::string& served = e.app->route.served_model;
  if (!served.empty() && served != field.model) {
    const std::string text = model_text(field, served);
    loop_.shared().held_bytes.fetch_add(text.size(), std::memory_order_relaxed);
    loop_.shared().held_bytes.fetch_sub(field.to - field.from, std::memory_order_relaxed);
    e.held.replace(field.from, field.to - field.from, text);
  }
  e.wants_progress = may_be_told_progress(head, field.is_streaming);
  e.body_is_held = true;
  e.body_form = {.framing = http::Framing::Length, .length = e.held.size()};
  write_request_head(head, head.path, {});
  seek_slot();
}

void Exchange::reply_models(const http::RequestHead& head) {
  const Shown shown = judge_bearer(loop_.keys(), bearer_of(value_of(head, "Authorization")));
  const std::string_view workspace =
      shown.key == nullptr ? "default" : std::string_view(shown.key->workspace);
  constexpr std::string_view list_path = "/v1/models";
  const std::string_view path = head.path.substr(0, head.path.find('?'));
  std::string body;
  if (path.size() > list_path.size() + 1) {
    const std::string_view name = path.substr(list_path.size() + 1);
    const auto app = loop_.routes().find(workspace, name);
    if (app == nullptr) {
      return refuse(
          {.status = 404,
           .code = "model_not_found",
           .sentence = "This model does not exist here. GET /v1/models lists the ones that do."});
    }
    append_model(body, *app);
    return reply_own({.body = body});
  }
  std::vector<const AppRoute*> apps;
  for (const auto& [id, app] : loop_.routes().all())
    if (app->route.workspace == workspace) apps.push_back(app.get());
  std::sort(apps.begin(), apps.end(),
            [](const AppRoute* a, const AppRoute* b) { return a->route.name < b->route.name; });
  body = "{\"object\":\"list\",\"data\":[";
  for (const AppRoute* app : apps) {
    if (app != apps.front()) body += ',';
    append_model(body, *app);
  }
  body += "]}";
  reply_own({.body = body});
}

}  // namespace kelvin::gateway
