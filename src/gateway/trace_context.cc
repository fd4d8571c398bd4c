// trace_context: which trace a request belongs to, by W3C Trace Context.
#include "gateway/trace_context.h"

#include <algorithm>
#include <span>

#include "os/hash.h"

namespace kelvin::gateway {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

int value_of(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

// Two digits a byte; false where one is none.
bool read_hex(std::string_view text, std::span<std::uint8_t> into) {
  for (std::size_t i = 0; i < into.size(); ++i) {
    const int high = value_of(text[2 * i]);
    const int low = value_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    into[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

char* write_hex(std::span<const std::uint8_t> bytes, char* at) {
  for (const std::uint8_t byte : bytes) {
    *at++ = kDigits[byte >> 4U];
    *at++ = kDigits[byte & 0xfU];
  }
  return at;
}

void write_number(std::uint64_t number, std::span<std::uint8_t, 8> into) {
  for (std::size_t i = 0; i < 8; ++i) into[i] = static_cast<std::uint8_t>(number >> (8 * (7 - i)));
}

std::uint64_t random_number() {
  std::uint64_t number = 0;
  os::fill_random(std::as_writable_bytes(std::span(&number, 1)));
  return number;
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view value) {
  if (value.size() < kTraceParentBytes) return std::nullopt;
  if (value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceParent parent;
  const bool is_hex =
      read_hex(value.substr(0, 2), version) && read_hex(value.substr(3, 32), parent.trace) &&
      read_hex(value.substr(36, 16), parent.span) && read_hex(value.substr(53, 2), flags);
  if (!is_hex || version[0] == 0xff) return std::nullopt;
  if (value.size() > kTraceParentBytes && (version[0] == 0 || value[kTraceParentBytes] != '-'))
    return std::nullopt;
  if (parent.trace == TraceId{} || parent.span == SpanId{}) return std::nullopt;
  parent.flags = flags[0] & (kTraceSampled | kTraceRandom);
  return parent;
}

std::array<char, kTraceParentBytes> traceparent_text(const TraceParent& parent) {
  std::array<char, kTraceParentBytes> text{'0', '0', '-'};
  char* at = write_hex(parent.trace, text.data() + 3);
  *at++ = '-';
  at = write_hex(parent.span, at);
  *at++ = '-';
  write_hex(std::span(&parent.flags, 1), at);
  return text;
}

std::optional<TraceParent> find_traceparent(const http::Head& head) {
  const http::Field* only = nullptr;
  for (const http::Field& field : head.fields) {
    if (!http::same_name(field.name, "traceparent")) continue;
    if (only != nullptr) return std::nullopt;
    only = &field;
  }
  return only == nullptr ? std::nullopt : parse_traceparent(only->value);
}

bool is_in_sample(const TraceId& trace, std::uint32_t share_ppm) {
  // The last seven bytes are the ones that every maker of ids fills at random.
  std::uint64_t number = 0;
  for (std::size_t i = 9; i < trace.size(); ++i) number = number << 8U | trace[i];
  return number % 1'000'000 < share_ppm;
}

TraceIds::TraceIds() : first_{random_number()}, second_{random_number()} {}

TraceId TraceIds::next_trace() {
  TraceId id{};
  while (id == TraceId{}) {
    const std::span<std::uint8_t, 16> all(id);
    write_number(first_.next(), all.first<8>());
    write_number(second_.next(), all.last<8>());
  }
  return id;
}

SpanId TraceIds::next_span() {
  SpanId id{};
  while (id == SpanId{}) write_number(first_.next() ^ second_.next(), id);
  return id;
}

}  // namespace kelvin::gateway
