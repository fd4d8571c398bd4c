// write: puts together heads of requests and replies.
#include "http/write.h"

#include <array>
#include <charconv>

namespace kelvin::http {
namespace {

void append_number(std::string& out, std::uint64_t value, int base) {
  std::array<char, 24> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, base).ptr;
  out.append(text.data(), end);
}

// Length of the well-formed UTF-8 sequence that `text` begins with; 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  if (length == 3 && ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f)))
    return 0;
  if (length == 4 && ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)))
    return 0;
  return length;
}

// A field that only a head may say is for everybody, whatever Connection says: a client could else take away what
// another server in front of this one has set.
bool is_named_by_connection(const Head& head, std::string_view name) {
  if (is_for_heads_only(name)) return false;
  for (const Field& field : head.fields)
    if (same_name(field.name, "connection") && list_has(field.value, name)) return true;
  return false;
}

}  // namespace

void append_status_line(std::string& out, int status) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(status), 10);
  out += ' ';
  out += reason_of(status);
  out += "\r\n";
}

void append_request_line(std::string& out, std::string_view method, std::string_view path) {
  out += method;
  out += ' ';
  out += path;
  out += " HTTP/1.1\r\n";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  out += name;
  out += ": ";
  append_number(out, value, 10);
  out += "\r\n";
}

void append_chunk_size(std::string& out, std::uint64_t bytes) {
  append_number(out, bytes, 16);
  out += "\r\n";
}

void append_last_chunk(std::string& out, std::span<const Field> trailers) {
  if (trailers.empty()) {
    out += kLastChunk;
    return;
  }
  out += "0\r\n";
  for (const Field& field : trailers) append_field(out, field.name, field.value);
  out += "\r\n";
}

bool is_hop_by_hop(const Head& head, std::string_view name) {
  switch (name.size()) {
    case 2:
      if (same_name(name, "te")) return true;
      break;
    case 7:
      if (same_name(name, "upgrade")) return true;
      break;
    case 10:
      if (same_name(name, "connection") || same_name(name, "keep-alive")) return true;
      break;
    case 14:
      if (same_name(name, "http2-settings")) return true;
      break;
    case 16:
      if (same_name(name, "proxy-connection")) return true;
      break;
    case 17:
      if (same_name(name, "transfer-encoding")) return true;
      break;
    default:
      break;
  }
  return head.names_fields && is_named_by_connection(head, name);
}

void append_json_text(std::string& out, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    std::size_t length = 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text.front();
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += hex[c >> 4U];
      out += hex[c & 15U];
    } else if (length = utf8_length(text); length > 0) {
      out += text.substr(0, length);
    } else {
      out += "\xef\xbf\xbd";
      length = 1;
    }
    text.remove_prefix(length);
  }
}

}  // namespace kelvin::http
