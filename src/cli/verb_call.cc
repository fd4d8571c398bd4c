#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "cli/api.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "cli/waterfall.h"
#include "cli/wire.h"

namespace kelvin::cli {

namespace {

struct CallWanted {
  std::string app;
  std::string path = "/";
  std::vector<std::string> bodies;  // at most one
  std::string method;
  std::vector<std::string> headers;
  bool shows_timing = false;
  std::optional<Duration> timeout;
};

constexpr std::size_t kRefusalBytesMax = 64 * 1024;

bool has_header(const CallWanted& wanted, std::string_view name) {
  return std::ranges::any_of(wanted.headers, [name](const std::string& header) {
    return header.size() > name.size() && header[name.size()] == ':' &&
           strncasecmp(header.c_str(), name.data(), name.size()) == 0;
  });
}

// Blanks and what is no ASCII cannot stand in a request line; everything else is sent as it was typed.
std::string sendable_path(std::string path) {
  if (!path.starts_with('/')) path.insert(0, "/");
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    out +=
        byte <= 0x20 || byte >= 0x7f || c == '#' ? fmt::format("%{:02X}", byte) : std::string(1, c);
  }
  return out;
}

// "@file" and "@-" stand for what is in there.
Attempt<void> put_body(const std::string& given, Question& question) {
  if (!given.starts_with('@')) {
    question.body = given;
    return {};
  }
  const std::string path = given == "@-" ? "/dev/stdin" : given.substr(1);
  if (std::filesystem::is_regular_file(path)) {
    question.body_file = path;
    return {};
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return failed({.exit = ExitCode::Usage,
                   .code = "unreadable",
                   .what = "cannot read the body from " + path,
                   .why = std::strerror(errno)});
  }
  question.body = std::string(std::istreambuf_iterator<char>(file), {});
  return {};
}

const char* content_type_of(const Question& question) {
  if (!question.body) return "application/octet-stream";
  const std::size_t first = question.body->find_first_not_of(" \t\r\n");
  const bool is_json = first != std::string::npos &&
                       ((*question.body)[first] == '{' || (*question.body)[first] == '[');
  return is_json ? "application/json" : "text/plain";
}

Attempt<Question> question_for(Api& api, const CallWanted& wanted) {
  Question question{.url = api.server().url + app_path(wanted.app) + sendable_path(wanted.path),
                    .headers = wanted.headers,
                    .limit = wanted.timeout.value_or(Duration::zero())};
  if (wanted.bodies.size() > 1) {
    return failed({.exit = ExitCode::Usage,
                   .code = "usage",
                   .what = "-d can be given only once",
                   .next = "see kelvin call --help"});
  }
  if (!wanted.bodies.empty()) {
    const auto put = put_body(wanted.bodies.front(), question);
    if (!put) return failed(put.error());
    if (!has_header(wanted, "Content-Type"))
      question.headers.push_back(std::string("Content-Type: ") + content_type_of(question));
  }
  question.method = !wanted.method.empty() ? wanted.method : wanted.bodies.empty() ? "GET" : "POST";
  if (!has_header(wanted, "Authorization") && !api.token().text.empty()) {
    question.headers.push_back("Authorization: Bearer " + api.token().text);
  }
  return question;
}

CallTiming timing_of(const CallWanted& wanted, const Answer& answer) {
  return {.app = wanted.app,
          .status = answer.status,
          .request_id = answer.header("Kelvin-Request-Id"),
          .cold_start = answer.header("Kelvin-Cold-Start"),
          .stages = read_server_timing(answer.header("Server-Timing")),
          .first_byte_us = answer.first_byte_us,
          .total_us = answer.total_us};
}

std::string report_json(const CallTiming& timing, const Answer& answer, std::string body) {
  wire::CallReport report{.status = timing.status,
                          .request_id = timing.request_id,
                          .cold_start = timing.cold_start,
                          .first_byte_us = timing.first_byte_us,
                          .total_us = timing.total_us,
                          .content_type = answer.header("Content-Type"),
                          .body = std::move(body)};
  for (const Stage& stage : timing.stages)
    report.stages_us.emplace_back(stage.name, stage.microseconds);
  return wire::write_call(report);
}

// What came of one call.
struct Called {
  Answer answer;
  std::string kept;       // the body, where it was not streamed
  char last_byte = '\n';  // of what was streamed
  std::string request_id;
};

// The reply goes to stdout as it comes, unless it is wanted as JSON or may be a refusal by the platform.
Attempt<Called> call(Session& session, const Question& question) {
  Called called;
  const auto wants = [&](const Answer& head) {
    called.request_id = head.header("Kelvin-Request-Id");
    const bool may_be_ours =
        head.status >= 400 && head.header("Content-Type").starts_with("application/problem+json");
    return !session.wants_json() && !may_be_ours;
  };
  const auto on_piece = [&](std::string_view piece) {
    session.print(piece);
    if (!piece.empty()) called.last_byte = piece.back();
    return true;
  };
  auto answer = session.api().client().ask(question, {wants, on_piece});
  if (!answer) {
    Failure failure = session.api().explained(answer.error());
    if (failure.code == "connection_broken" && !called.request_id.empty()) {
      failure.next = "see why with: kelvin explain " + called.request_id;
    }
    return failed(failure);
  }
  called.kept = std::move(answer->body);
  called.answer = std::move(*answer);
  return called;
}

ExitCode call_app(Session& session, const CallWanted& wanted) {
  const auto question = question_for(session.api(), wanted);
  if (!question) return session.fail(question.error());
  const auto called = call(session, *question);
  if (!called) return session.fail(called.error());
  const Answer& answer = called->answer;
  const CallTiming timing = timing_of(wanted, answer);
  const bool is_on_terminal = session.surroundings().out_terminal().is_terminal;
  if (is_on_terminal && called->last_byte != '\n') session.print("\n");
  if (wanted.shows_timing) session.say(render_waterfall(timing, session.err_page()));
  const bool is_ours = answer.status >= 400 && called->kept.size() <= kRefusalBytesMax &&
                       wire::is_platform_problem(called->kept);
  if (is_ours)
    return session.fail(session.api().explained(wire::read_problem(answer.status, called->kept)));
  if (session.wants_json()) {
    session.print_json(report_json(timing, answer, called->kept));
  } else {
    session.print(called->kept);
  }
  if (answer.status < 400) return ExitCode::Ok;
  return session.fail({.code = "app_answered",
                       .what = fmt::format("{} answered with status {}", wanted.app, answer.status),
                       .next = timing.request_id.empty()
                                   ? ""
                                   : "see what it printed with: kelvin logs " + wanted.app,
                       .status = answer.status});
}

}  // namespace

void add_call(Cli& cli) {
  const auto wanted = std::make_shared<CallWanted>();
  cli.verbs.push_back(
      {.name = "call",
       .summary = "send one request to an app and stream its reply",
       .group = Group::Apps,
       .positionals = {{.name = "APP", .into = &wanted->app},
                       {.name = "PATH", .need = Need::Optional, .into = &wanted->path}},
       .options = {{.names = "-d,--body",
                    .value = "BODY",
                    .summary = "text, @file or @-",
                    .into = &wanted->bodies},
                   {.names = "-X,--method",
                    .value = "NAME",
                    .summary = "GET, or POST with a body",
                    .into = &wanted->method},
                   {.names = "-H,--header",
                    .value = "LINE",
                    .summary = "'Name: value'",
                    .into = &wanted->headers},
                   {.names = "--timing",
                    .summary = "draw where the time went",
                    .into = &wanted->shows_timing},
                   {.names = "--timeout",
                    .value = "TIME",
                    .summary = "give up after TIME",
                    .into = &wanted->timeout}},
       .run = [wanted](Session& session) { return call_app(session, *wanted); }});
}

}  // namespace kelvin::cli
