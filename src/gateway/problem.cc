// problem: replies that the gateway makes itself.
#include "gateway/problem.h"

#include <array>
#include <chrono>

#include "http/write.h"

namespace kelvin::gateway {
namespace {

std::string_view openai_type(int status) {
  if (status >= 500) return "server_error";
  return status == 429 ? "rate_limit_error" : "invalid_request_error";
}

void append_two_digits(std::string& out, unsigned value) {
  out += static_cast<char>('0' + value / 10 % 10);
  out += static_cast<char>('0' + value % 10);
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += '"';
  out += name;
  out += "\":\"";
  http::append_json_text(out, text);
  out += '"';
}

}  // namespace

void append_http_date(std::string& out, std::int64_t unix_seconds) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed",
                                                    "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds at{seconds(unix_seconds)};
  const sys_days day = floor<std::chrono::days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  out += days[weekday(day).c_encoding()];
  out += ", ";
  append_two_digits(out, static_cast<unsigned>(date.day()));
  out += ' ';
  out += months[static_cast<unsigned>(date.month()) - 1];
  out += ' ';
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  append_two_digits(out, year / 100);
  append_two_digits(out, year % 100);
  out += ' ';
  append_two_digits(out, static_cast<unsigned>(clock.hours().count()));
  out += ':';
  append_two_digits(out, static_cast<unsigned>(clock.minutes().count()));
  out += ':';
  append_two_digits(out, static_cast<unsigned>(clock.seconds().count()));
  out += " GMT";
}

void append_own_reply(std::string& out, const OwnReply& reply) {
  http::append_status_line(out, reply.status);
  out += "Date: ";
  append_http_date(out, reply.unix_seconds);
  out += "\r\n";
  if (reply.status != 204) {
    http::append_field(out, "Content-Type", reply.content_type);
    http::append_field(out, "Content-Length", reply.body.size());
  }
  if (!reply.request_id.empty()) http::append_field(out, "Kelvin-Request-Id", reply.request_id);
  if (!reply.server_timing.empty()) http::append_field(out, "Server-Timing", reply.server_timing);
  out += reply.extra_fields;
  if (reply.closes) http::append_field(out, "Connection", "close");
  out += "\r\n";
  if (!reply.is_head) out += reply.body;
}

std::string openai_error(const model::Refusal& refusal) {
  std::string text = "{\"error\":{";
  append_member(text, "message", refusal.sentence);
  text += ',';
  append_member(text, "type", openai_type(refusal.status));
  text += ",\"param\":null,";
  append_member(text, "code", refusal.code);
  text += "}}";
  return text;
}

ErrorBody error_body(const model::Refusal& refusal, bool is_openai) {
  if (is_openai) return {openai_error(refusal) + "\n", "application/json"};
  std::string text = "{\"type\":\"about:blank\",";
  append_member(text, "title", http::reason_of(refusal.status));
  text += ",\"status\":" + std::to_string(refusal.status) + ",";
  append_member(text, "code", refusal.code);
  text += ',';
  append_member(text, "detail", refusal.sentence);
  text += ",\"next\":null,\"complaints\":null}\n";
  return {std::move(text), "application/problem+json"};
}

std::string retry_after_field(const model::Refusal& refusal) {
  if (refusal.retry_after <= Duration::zero()) return {};
  const std::int64_t seconds = (whole_ms(refusal.retry_after) + 999) / 1000;
  return "Retry-After: " + std::to_string(seconds < 1 ? 1 : seconds) + "\r\n";
}

}  // namespace kelvin::gateway
