// write: puts together heads of requests and replies.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/message.h"

namespace kelvin::http {

// "HTTP/1.1 200 OK\r\n", with the phrase of reason_of().
void append_status_line(std::string& out, int status);
// "GET /path HTTP/1.1\r\n"
void append_request_line(std::string& out, std::string_view method, std::string_view path);
// "Name: value\r\n". The value must hold no CR, LF or NUL: the caller vouches for text that comes
// from outside.
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, std::uint64_t value);
// The last chunk of a chunked body without trailers is kLastChunk; every other is size line,
// payload, kChunkEnd.
void append_chunk_size(std::string& out, std::uint64_t bytes);
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
// The last chunk, with the trailers behind it.
void append_last_chunk(std::string& out, std::span<const Field> trailers);

// Whether a proxy must keep this field to itself (RFC 9110 7.6.1): Connection and its fixed company (HTTP2-Settings,
// Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade; Trailer stays), and what Connection names unless it is
// for heads only.
[[nodiscard]] bool is_hop_by_hop(const Head& head, std::string_view name);

// The text of a JSON string without its quotes; bytes that are not UTF-8 become U+FFFD.
void append_json_text(std::string& out, std::string_view text);

}  // namespace kelvin::http
