// admit: the checks, in order.
#include "core/admit/admit.h"

#include <algorithm>

#include "core/queue/outlook.h"

namespace kelvin::admit {

namespace {

using model::Refusal;

constexpr Duration kRetryBusy = 1s;  // held bodies leave as soon as they are forwarded

std::string quoted(std::string_view text) {
  // Names come from strangers: long ones would make a refusal longer than the request.
  constexpr std::size_t kShownMax = 80;
  std::string result = "'";
  result += text.substr(0, kShownMax);
  if (text.size() > kShownMax) result += "...";
  result += "'";
  return result;
}

std::optional<Refusal> refuse_missing_key(Surface surface) {
  const bool is_openai = surface == Surface::OpenAi;
  return Refusal{.status = 401,
                 .code = is_openai ? "invalid_api_key" : "key_missing",
                 .sentence =
                     "This server asks for a key. Send 'Authorization: Bearer kv_...'; "
                     "'kelvin keys create NAME --scope invoke' makes one."};
}

std::optional<Refusal> refuse_unknown_key(Surface surface) {
  const bool is_openai = surface == Surface::OpenAi;
  return Refusal{
      .status = 401,
      .code = is_openai ? "invalid_api_key" : "key_unknown",
      .sentence =
          "The key in the Authorization header is not known here. It may have been deleted; "
          "'kelvin keys' lists the ones that exist."};
}

std::optional<Refusal> check_key(const Question& question) {
  const Caller& caller = question.caller;
  switch (caller.presented) {
    case Presented::Nothing:
      if (caller.is_on_loopback) return std::nullopt;
      return refuse_missing_key(question.surface);
    case Presented::NotOurs:
      // Programs have keys of their own; on their routes a stranger's bearer is theirs to judge.
      if (question.surface == Surface::OpenAi) return refuse_unknown_key(question.surface);
      if (caller.is_on_loopback) return std::nullopt;
      return refuse_missing_key(question.surface);
    case Presented::Unknown:
      return refuse_unknown_key(question.surface);
    case Presented::Known:
      if (caller.scopes.invoke || caller.scopes.admin) return std::nullopt;
      return Refusal{.status = 403,
                     .code = "key_lacks_scope",
                     .sentence =
                         "This key may not call apps. Use one with the invoke scope: "
                         "'kelvin keys create NAME --scope invoke'."};
  }
  return std::nullopt;
}

std::optional<Refusal> refuse_unknown_app(const Question& question) {
  if (question.surface == Surface::OpenAi) {
    return Refusal{.status = 404,
                   .code = "model_not_found",
                   .sentence = "The model " + quoted(question.name) +
                               " does not exist here. GET /v1/models lists the ones that do."};
  }
  return Refusal{.status = 404,
                 .code = "app_not_found",
                 .sentence = "There is no app " + quoted(question.name) +
                             ". 'kelvin apps' lists the ones that exist."};
}

std::optional<Refusal> check_app(const Question& question) {
  const model::Route* route = question.route;
  if (route == nullptr || route->is_gone) return refuse_unknown_app(question);
  // Another workspace's app is answered as if it did not exist, so that names cannot be probed.
  const bool is_known = question.caller.presented == Presented::Known;
  if (is_known && question.caller.workspace != route->workspace)
    return refuse_unknown_app(question);
  return std::nullopt;
}

std::optional<Refusal> check_origin(const Question& question) {
  const Caller& caller = question.caller;
  if (is_same_origin(caller.origin, caller.host)) return std::nullopt;
  if (question.route != nullptr && is_allowed_origin(caller.origin, question.route->cors))
    return std::nullopt;
  return Refusal{.status = 403,
                 .code = "origin_refused",
                 .sentence = "A web page of " + quoted(caller.origin) +
                             " may not call this app. Name that origin under 'cors' in the app "
                             "file and deploy again."};
}

std::optional<Refusal> check_body(const Question& question) {
  if (question.body_bytes > question.body_max.count) {
    return Refusal{
        .status = 413,
        .code = "body_too_large",
        .sentence =
            "The body is longer than the " + std::to_string(question.body_max.count) +
            " bytes that are taken here. Send it in parts, or through the app's own route."};
  }
  if (question.body_bytes > question.body_room.count) {
    return Refusal{
        .status = 503,
        .code = "bodies_exhausted",
        .sentence = "The memory for waiting request bodies is used up. Try again in a moment.",
        .retry_after = kRetryBusy};
  }
  return std::nullopt;
}

Duration retry_after(const Question& question) {
  const model::Route& route = *question.route;
  std::uint64_t slots = 0;
  for (const model::RouteReplica& replica : route.replicas) slots += replica.slots;
  return queue::retry_after({.waiting = question.waiting,
                             .slots = slots,
                             .service_time = route.service_time,
                             .wake_time = route.wake_time});
}

std::optional<Refusal> check_queue(const Question& question) {
  const model::Route& route = *question.route;
  if (question.is_waiting) {
    if (question.now < question.wait_until) return std::nullopt;
    const std::int64_t seconds = whole_ms(route.queue.wait) / 1000;
    return Refusal{.status = 503,
                   .code = "wait_too_long",
                   .sentence = "No replica of " + quoted(route.name) + " came free within the " +
                               std::to_string(seconds) +
                               " s that its queue.wait allows. A start under way goes on; " +
                               "'kelvin explain " + route.name + "' says what it waits for.",
                   .retry_after = retry_after(question)};
  }
  if (question.waiting < route.queue.requests_max) return std::nullopt;
  return Refusal{.status = 429,
                 .code = "queue_full",
                 .sentence = std::to_string(question.waiting) + " requests wait for " +
                             quoted(route.name) +
                             " already, which is all that its queue.max allows. Try again later.",
                 .retry_after = retry_after(question)};
}

}  // namespace

bool is_same_origin(std::string_view origin, std::string_view host) {
  if (origin.empty()) return true;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme) && origin.substr(scheme.size()) == host) return true;
  }
  return false;
}

bool is_allowed_origin(std::string_view origin, std::span<const std::string> cors) {
  return std::any_of(cors.begin(), cors.end(),
                     [&](const std::string& entry) { return entry == "*" || entry == origin; });
}

Answer admit(const Question& question) {
  Answer answer;
  const Caller& caller = question.caller;
  answer.takes_key = caller.presented == Presented::Known;
  answer.is_cross_origin = !is_same_origin(caller.origin, caller.host);
  for (const auto check : {check_key, check_origin, check_app, check_body}) {
    if (std::optional<Refusal> refusal = check(question)) {
      answer.verdict = Verdict::Refuse;
      answer.refusal = std::move(*refusal);
      return answer;
    }
  }
  // A request that finds a free slot needs no room in the queue, so a full queue refuses only who
  // would wait.
  const bool must_wait = question.is_waiting || question.found_no_slot || question.waiting > 0;
  if (!must_wait) return answer;
  answer.verdict = Verdict::Wait;
  if (std::optional<Refusal> refusal = check_queue(question)) {
    answer.verdict = Verdict::Refuse;
    answer.refusal = std::move(*refusal);
  }
  return answer;
}

}  // namespace kelvin::admit
