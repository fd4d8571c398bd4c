// h2_head: one header block of HTTP/2, gathered field by field and read as a head.
//
// The form of each field (bytes of names and values, order and number of pseudo fields) is the
// business of the library that decodes the block. What is checked here is what a server answers
// with a status: sizes, host, target, expectation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace kelvin::http {

// Whether a field may stand in a message of HTTP/2 (RFC 9113 8.2.2): not one that belongs to a
// connection.
[[nodiscard]] bool may_travel(const Field& field);
// Secrets stay out of the compression table: one shared by many clients would let one guess
// another's.
[[nodiscard]] bool is_secret(std::string_view name);

class H2Head {
 public:
  void begin();
  // Beyond the limits of size and number nothing is kept; `bytes()` goes on counting.
  void add(std::string_view name, std::string_view value, const Limits& limits);

  // By RFC 9113 6.5.2: names, values and 32 for each field.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] bool is_too_long() const { return is_too_long_; }
  [[nodiscard]] bool has_status() const { return status_ != 0; }

  // Views in what is read live until the next begin().
  [[nodiscard]] Outcome read_request(const Limits& limits, RequestHead& head);
  [[nodiscard]] Outcome read_response(ResponseHead& head);
  void read_trailers(std::vector<Field>& fields) const;

 private:
  struct Piece {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
  };
  struct Entry {
    Piece name;
    Piece value;
  };
  Piece keep(std::string_view text);
  [[nodiscard]] std::string_view text_of(Piece piece) const {
    return std::string_view(text_).substr(piece.at, piece.size);
  }
  bool add_pseudo(std::string_view name, std::string_view value);
  void add_cookie(std::string_view value);
  Outcome read_host(RequestHead& head) const;
  Outcome read_path(const Limits& limits, RequestHead& head) const;
  Outcome read_field(const Field& field, RequestHead& head) const;
  void read_start(Head& head) const;

  std::string text_;  // of all names and values; pieces are offsets, since it moves as it grows
  std::vector<Entry> entries_;
  std::string cookie_;  // all crumbs (RFC 9113 8.2.3)
  bool has_cookie_ = false;
  Piece method_;
  Piece scheme_;
  Piece path_;
  Piece authority_;
  bool has_authority_ = false;
  int status_ = 0;
  std::size_t bytes_ = 0;
  bool is_too_long_ = false;
};

}  // namespace kelvin::http
