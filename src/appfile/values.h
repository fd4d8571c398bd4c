// values: the small languages inside an app file: sizes, durations, numbers, names.
//
// A reader returns the value, or a hint for the complaint: what else could have been meant. The hint may be empty.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "base/bytes.h"
#include "base/time.h"

namespace kelvin::appfile {

template <class T>
using Read = tl::expected<T, std::string>;

struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = UINT64_MAX;
  bool holds(std::uint64_t n) const { return least <= n && n <= most; }
};

Read<std::uint64_t> read_number(std::string_view text);  // "12"
Read<std::uint32_t> read_thousandths(
    std::string_view text);                           // "0.5" -> 500; at most three decimals
Read<Bytes> read_size(std::string_view text);         // "24GiB", "500MB"
Read<Duration> read_duration(std::string_view text);  // "500ms", "60s", "10m", "2h"
// "https://example.com:8443" in the form in which browsers send it: lower case, without the scheme's own port.
Read<std::string> read_origin(std::string_view text);

bool is_dns_label(std::string_view text);  // RFC 1123: a-z, 0-9, inner '-', 1 to 63 characters
bool is_environment_name(std::string_view text);  // letters, digits and '_', no digit first
bool is_url_path(std::string_view text);          // '/' and visible ASCII without '#'
bool has_control_characters(std::string_view text);

std::string to_text(Bytes size);       // "512MiB": the largest unit that divides it
std::string to_text(Duration length);  // "10m": likewise

// The known word that `word` most likely was meant to be; empty where none is near. Counts insertions, deletions,
// substitutions and swaps of neighbours: one per three characters is near, and so is a known word with a tail.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace kelvin::appfile
