// json: writes JSON text with its keys in the order of the calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kelvin::api {

// An empty name is an item of an array; anything else a member of an object. The caller keeps the two apart and closes
// what it opened.
class JsonWriter {
 public:
  void open_object(std::string_view name = {}) { open(name, '{'); }
  void close_object() { close('}'); }
  void open_array(std::string_view name = {}) { open(name, '['); }
  void close_array() { close(']'); }

  // Bytes that are not UTF-8 become U+FFFD.
  void text(std::string_view name, std::string_view value);
  void integer(std::string_view name, std::int64_t value);
  void unsigned_integer(std::string_view name, std::uint64_t value);
  void boolean(std::string_view name, bool value);
  void null(std::string_view name);
  // Null when empty or absent.
  void text_or_null(std::string_view name, std::string_view value);
  void integer_or_null(std::string_view name, std::optional<std::int64_t> value);

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view name);
  void open(std::string_view name, char bracket);
  void close(char bracket);

  std::string text_;
  bool has_item_before_ = false;
};

}  // namespace kelvin::api
