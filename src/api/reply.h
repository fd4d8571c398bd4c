// reply: what a request is answered with, and refusals as problem documents of RFC 9457.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "appfile/appfile.h"
#include "base/result.h"

namespace kelvin::api {

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string extra_fields;  // whole header lines
  bool is_sent = false;      // the route has written its reply to the connection by itself
};

struct Problem {
  int status = 500;
  std::string code = "internal";  // stable
  std::string detail;             // a sentence: what happened
  std::string next;               // a sentence: what to do about it; empty: nothing to say
  std::vector<appfile::Complaint> complaints;       // about the app file
  std::optional<std::vector<std::string>> missing;  // with content_missing: hashes
  std::string extra_fields;                         // whole header lines
};

using Answer = tl::expected<Reply, Problem>;
template <class T>
using OrProblem = tl::expected<T, Problem>;

// By the error's code; the sentence is the error's own.
[[nodiscard]] Problem to_problem(Error error);
[[nodiscard]] inline Problem to_problem(Problem problem) { return problem; }
[[nodiscard]] inline tl::unexpected<Problem> refuse(Problem problem) {
  return tl::unexpected(std::move(problem));
}

// 400, code invalid_request.
[[nodiscard]] Problem bad_request(std::string detail, std::string next = {});

[[nodiscard]] Reply to_reply(const Problem& problem);
[[nodiscard]] Reply json_reply(std::string body, int status = 200);

}  // namespace kelvin::api

// KELVIN_TRY for functions that return an Answer or OrProblem; takes Results as well.
#define KELVIN_ANSWER_TRY_INNER(tmp, declaration, expression)                                \
  auto tmp = (expression);                                                                   \
  if (!tmp) return ::kelvin::api::refuse(::kelvin::api::to_problem(std::move(tmp).error())); \
  declaration = std::move(*tmp)
#define KELVIN_ANSWER_TRY(declaration, ...) \
  KELVIN_ANSWER_TRY_INNER(KELVIN_CONCAT(kelvin_try_, __LINE__), declaration, (__VA_ARGS__))
#define KELVIN_ANSWER_TRY_VOID(...)                                                              \
  do {                                                                                           \
    if (auto kelvin_status = (__VA_ARGS__); !kelvin_status)                                      \
      return ::kelvin::api::refuse(::kelvin::api::to_problem(std::move(kelvin_status).error())); \
  } while (false)
