#include "obs/log.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>

namespace kelvin::obs {

namespace {

// PIPE_BUF: a write up to this size to a pipe is whole or not at all, and does not block after
// poll() said so.
constexpr std::size_t kLineBytesMax = 4096;
constexpr std::size_t kValueBytesMax = 1024;

constexpr std::string_view kKeyStart = "kv_";
constexpr std::size_t kPrefixBytes = 8;
constexpr std::size_t kSecretBytesMin = 16;

bool is_key_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_';
}

bool is_plain_byte(char c) {
  return is_key_byte(c) || c == '.' || c == '/' || c == ':' || c == '@' || c == '+';
}

// Length of the key that `text` begins with; 0: it begins with none.
std::size_t key_bytes_at(std::string_view text) {
  if (!text.starts_with(kKeyStart)) return 0;
  std::size_t end = kKeyStart.size();
  while (end < text.size() && is_key_byte(text[end])) end += 1;
  const std::size_t shortest = kKeyStart.size() + kPrefixBytes + 1 + kSecretBytesMin;
  const bool has_secret = end >= shortest && text[kKeyStart.size() + kPrefixBytes] == '_';
  return has_secret ? end : 0;
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, 8> hex{};
      std::snprintf(hex.data(), hex.size(), "\\x%02x", static_cast<unsigned>(c));
      out += hex.data();
    } else {
      out += c;
    }
  }
}

// Cuts at a character's first byte, so that a cut line is still UTF-8.
std::string_view cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) end -= 1;
  return text.substr(0, end);
}

void append_value(std::string& out, std::string_view value) {
  const std::string hidden = hide_keys(value);
  const std::string_view kept = cut(hidden, kValueBytesMax);
  bool is_plain = !kept.empty();
  for (const char c : kept) is_plain = is_plain && is_plain_byte(c);
  if (is_plain && kept.size() == hidden.size()) {
    out += kept;
    return;
  }
  out += '"';
  append_escaped(out, kept);
  if (kept.size() < hidden.size()) out += "...";
  out += '"';
}

std::string time_text(std::int64_t unix_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds(unix_ms)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{at - day};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
                static_cast<int>(time.subseconds().count()));
  return text.data();
}

}  // namespace

std::string_view to_text(Level level) {
  switch (level) {
    case Level::Debug:
      return "debug";
    case Level::Info:
      return "info";
    case Level::Warn:
      return "warn";
    case Level::Error:
      return "error";
  }
  return "?";
}

std::string hide_keys(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t start = text.find(kKeyStart);
    out += text.substr(0, start);
    if (start == std::string_view::npos) break;
    text.remove_prefix(start);
    const std::size_t bytes = key_bytes_at(text);
    if (bytes == 0) {
      out += kKeyStart;
      text.remove_prefix(kKeyStart.size());
    } else {
      out += text.substr(0, kKeyStart.size() + kPrefixBytes);
      out += "_***";
      text.remove_prefix(bytes);
    }
  }
  return out;
}

std::string log_line(Level level, std::string_view sentence, LogFields fields) {
  std::string line = "level=";
  line += to_text(level);
  line += " says=";
  append_value(line, sentence);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    append_value(line, field.value);
  }
  return line;
}

Log::Log(Options options) : options_(std::move(options)) {}

void Log::write(Level level, std::string_view sentence, LogFields fields) {
  if (options_.fd < 0 || level < options_.least) return;
  std::string line;
  if (options_.unix_ms) line = "at=" + time_text(options_.unix_ms()) + " ";
  line += log_line(level, sentence, fields);
  const std::scoped_lock lock(mutex_);
  send(line);
}

void Log::send(std::string& line) {
  if (dropped_ > 0) line += " lines_dropped_before=" + std::to_string(dropped_);
  line = cut(line, kLineBytesMax - 1);
  line += '\n';
  pollfd writable{.fd = options_.fd, .events = POLLOUT, .revents = 0};
  const bool has_room = ::poll(&writable, 1, 0) == 1 && (writable.revents & POLLOUT) != 0;
  const bool is_sent = has_room && ::write(options_.fd, line.data(), line.size()) ==
                                       static_cast<ssize_t>(line.size());
  dropped_ = is_sent ? 0 : dropped_ + 1;
}

}  // namespace kelvin::obs
