#include "api/reply.h"

#include "api/json.h"
#include "http/message.h"

namespace kelvin::api {

namespace {

void write_complaints(JsonWriter& json, const std::vector<appfile::Complaint>& complaints) {
  if (complaints.empty()) return json.null("complaints");
  json.open_array("complaints");
  for (const appfile::Complaint& one : complaints) {
    json.open_object();
    json.text("file", one.file);
    json.integer("line", one.line);
    json.integer("column", one.column);
    json.text_or_null("found", one.found);
    json.text_or_null("expected", one.expected);
    json.text("message", one.message);
    json.close_object();
  }
  json.close_array();
}

}  // namespace

Problem to_problem(Error error) {
  switch (error.code) {
    case Code::Invalid:
      return {.status = 400, .code = "invalid_request", .detail = std::move(error.what)};
    case Code::NotFound:
      return {.status = 404, .code = "not_found", .detail = std::move(error.what)};
    case Code::Conflict:
      return {.status = 409, .code = "conflict", .detail = std::move(error.what)};
    case Code::Refused:
      return {.status = 403, .code = "refused", .detail = std::move(error.what)};
    case Code::Exhausted:
      return {.status = 507,
              .code = "out_of_space",
              .detail = std::move(error.what),
              .next = "Free some space on the server, then try again."};
    case Code::Unavailable:
      return {.status = 503,
              .code = "unavailable",
              .detail = std::move(error.what),
              .next = "Try again in a moment.",
              .extra_fields = "Retry-After: 1\r\n"};
    case Code::TimedOut:
      return {.status = 504, .code = "timed_out", .detail = std::move(error.what)};
    case Code::Internal:
      return {.status = 500,
              .code = "internal",
              .detail = std::move(error.what),
              .next = "This is a bug of kelvin: please report it with the server's log."};
  }
  return {.detail = std::move(error.what)};
}

Problem bad_request(std::string detail, std::string next) {
  return {.status = 400,
          .code = "invalid_request",
          .detail = std::move(detail),
          .next = std::move(next)};
}

Reply to_reply(const Problem& problem) {
  JsonWriter json;
  json.open_object();
  json.text("type", "about:blank");
  json.text("title", http::reason_of(problem.status));
  json.integer("status", problem.status);
  json.text("code", problem.code);
  json.text("detail", problem.detail);
  json.text_or_null("next", problem.next);
  write_complaints(json, problem.complaints);
  if (problem.missing) {
    json.open_array("missing");
    for (const std::string& sha256 : *problem.missing) json.text({}, sha256);
    json.close_array();
  }
  json.close_object();
  return {.status = problem.status,
          .content_type = "application/problem+json",
          .body = json.take() + "\n",
          .extra_fields = problem.extra_fields};
}

Reply json_reply(std::string body, int status) {
  return {.status = status, .body = std::move(body) + "\n"};
}

}  // namespace kelvin::api
