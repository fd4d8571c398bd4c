#include "api/json.h"

#include "http/write.h"

namespace kelvin::api {

void JsonWriter::begin(std::string_view name) {
  if (has_item_before_) text_ += ',';
  has_item_before_ = true;
  if (name.empty()) return;
  text_ += '"';
  http::append_json_text(text_, name);
  text_ += "\":";
}

void JsonWriter::open(std::string_view name, char bracket) {
  begin(name);
  text_ += bracket;
  has_item_before_ = false;
}

void JsonWriter::close(char bracket) {
  text_ += bracket;
  has_item_before_ = true;
}

void JsonWriter::text(std::string_view name, std::string_view value) {
  begin(name);
  text_ += '"';
  http::append_json_text(text_, value);
  text_ += '"';
}

void JsonWriter::integer(std::string_view name, std::int64_t value) {
  begin(name);
  text_ += std::to_string(value);
}

void JsonWriter::unsigned_integer(std::string_view name, std::uint64_t value) {
  begin(name);
  text_ += std::to_string(value);
}

void JsonWriter::boolean(std::string_view name, bool value) {
  begin(name);
  text_ += value ? "true" : "false";
}

void JsonWriter::null(std::string_view name) {
  begin(name);
  text_ += "null";
}

void JsonWriter::text_or_null(std::string_view name, std::string_view value) {
  if (value.empty()) return null(name);
  text(name, value);
}

void JsonWriter::integer_or_null(std::string_view name, std::optional<std::int64_t> value) {
  if (!value) return null(name);
  integer(name, *value);
}

}  // namespace kelvin::api
