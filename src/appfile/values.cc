#include "appfile/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace kelvin::appfile {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), to_lower);
  return result;
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Larger ones first, so that the first that divides an amount is the one to show.
constexpr std::array<Unit, 8> kSizeUnits{{{"TiB", 1ULL << 40},
                                          {"TB", 1'000'000'000'000},
                                          {"GiB", 1ULL << 30},
                                          {"GB", 1'000'000'000},
                                          {"MiB", 1ULL << 20},
                                          {"MB", 1'000'000},
                                          {"KiB", 1ULL << 10},
                                          {"KB", 1000}}};
constexpr std::array<Unit, 4> kTimeUnits{
    {{"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000}, {"ms", 1'000'000}}};

struct Meant {
  std::string_view written;  // lower case
  std::string_view unit;
};

// What people write instead: Kubernetes' Gi, one-letter units, words.
constexpr std::array<Meant, 14> kSizesMeant{{{"k", "KiB"},
                                             {"ki", "KiB"},
                                             {"kib", "KiB"},
                                             {"m", "MiB"},
                                             {"mi", "MiB"},
                                             {"mib", "MiB"},
                                             {"g", "GiB"},
                                             {"gi", "GiB"},
                                             {"gib", "GiB"},
                                             {"t", "TiB"},
                                             {"ti", "TiB"},
                                             {"tib", "TiB"},
                                             {"mb", "MB"},
                                             {"gb", "GB"}}};
constexpr std::array<Meant, 13> kTimesMeant{{{"sec", "s"},
                                             {"secs", "s"},
                                             {"second", "s"},
                                             {"seconds", "s"},
                                             {"min", "m"},
                                             {"mins", "m"},
                                             {"minute", "m"},
                                             {"minutes", "m"},
                                             {"hour", "h"},
                                             {"hours", "h"},
                                             {"hr", "h"},
                                             {"msec", "ms"},
                                             {"millis", "ms"}}};

struct Scale {
  std::span<const Unit> units;
  std::span<const Meant> meant;
  std::string_view usual;  // the unit suggested for a bare number
  std::uint64_t most;
};

// Digits and a unit, such as "24GiB", in the unit's smallest part.
Read<std::uint64_t> read_amount(std::string_view text, const Scale& scale) {
  const std::size_t digits =
      static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  if (digits == 0) return tl::unexpected(std::string());
  const std::string number(text.substr(0, digits));
  std::string_view unit = text.substr(digits);
  const Read<std::uint64_t> amount = read_number(number);
  if (!amount) return tl::unexpected(amount.error());
  for (const Unit& u : scale.units) {
    if (u.name != unit) continue;
    if (*amount > scale.most / u.factor)
      return tl::unexpected(std::string("the number is too large"));
    return *amount * u.factor;
  }
  if (unit.starts_with('.'))
    return tl::unexpected(std::string("write a whole number of a smaller unit"));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit.empty()) {
    // A longer number is in some other unit that nobody can guess.
    if (number.size() > 4) return tl::unexpected(std::string("a unit is missing"));
    return tl::unexpected("did you mean '" + number + std::string(scale.usual) + "'?");
  }
  for (const Meant& m : scale.meant) {
    if (m.written == lowered(unit))
      return tl::unexpected("did you mean '" + number + std::string(m.unit) + "'?");
  }
  for (const Unit& u : scale.units) {
    if (lowered(u.name) == lowered(unit)) {
      return tl::unexpected("did you mean '" + number + std::string(u.name) + "'?");
    }
  }
  return tl::unexpected(std::string());
}

std::string show_amount(std::uint64_t amount, std::span<const Unit> units,
                        std::string_view smallest) {
  for (const Unit& u : units) {
    if (amount != 0 && amount % u.factor == 0)
      return std::to_string(amount / u.factor) + std::string(u.name);
  }
  return std::to_string(amount) + std::string(smallest);
}

// Optimal string alignment distance: each piece of the text is edited at most once.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

bool is_host(std::string_view host) {
  if (host.starts_with('[')) {
    const std::string_view inner = host.substr(1, host.size() - 2);
    return host.ends_with(']') && inner.find(':') != std::string_view::npos &&
           std::all_of(inner.begin(), inner.end(), [](char c) {
             return is_digit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
           });
  }
  if (host.empty() || host.size() > 253 || host.ends_with('.')) return false;
  while (true) {
    const std::size_t dot = host.find('.');
    if (!is_dns_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

}  // namespace

Read<std::uint64_t> read_number(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range)
    return tl::unexpected(std::string("the number is too large"));
  if (error != std::errc() || stopped != end) return tl::unexpected(std::string());
  return value;
}

Read<std::uint32_t> read_thousandths(std::string_view text) {
  const std::size_t dot = text.find('.');
  const Read<std::uint64_t> whole = read_number(text.substr(0, dot));
  if (!whole) return tl::unexpected(whole.error());
  if (*whole > UINT32_MAX / 1000 - 1) return tl::unexpected(std::string("the number is too large"));
  auto thousandths = static_cast<std::uint32_t>(*whole * 1000);
  if (dot == std::string_view::npos) return thousandths;
  const std::string_view decimals = text.substr(dot + 1);
  if (decimals.empty() || !std::all_of(decimals.begin(), decimals.end(), is_digit)) {
    return tl::unexpected(std::string());
  }
  if (decimals.size() > 3) return tl::unexpected(std::string("write at most three decimals"));
  std::uint32_t worth = 100;
  for (const char digit : decimals) {
    thousandths += worth * static_cast<std::uint32_t>(digit - '0');
    worth /= 10;
  }
  return thousandths;
}

Read<Bytes> read_size(std::string_view text) {
  const Scale scale{.units = kSizeUnits, .meant = kSizesMeant, .usual = "GiB", .most = UINT64_MAX};
  const Read<std::uint64_t> amount = read_amount(text, scale);
  if (!amount) return tl::unexpected(amount.error());
  return Bytes{*amount};
}

Read<Duration> read_duration(std::string_view text) {
  const Scale scale{.units = kTimeUnits, .meant = kTimesMeant, .usual = "s", .most = INT64_MAX};
  const Read<std::uint64_t> amount = read_amount(text, scale);
  if (!amount) return tl::unexpected(amount.error());
  return Duration(static_cast<std::int64_t>(*amount));
}

Read<std::string> read_origin(std::string_view text) {
  if (text == "*")
    return tl::unexpected(std::string("name each origin; any web page at all may not call an app"));
  std::string origin = lowered(text);
  const bool is_https = origin.starts_with("https://");
  if (!is_https && !origin.starts_with("http://")) {
    return tl::unexpected(is_host(origin) ? "did you mean 'https://" + origin + "'?"
                                          : std::string());
  }
  const std::size_t host_at = origin.find("://") + 3;
  const std::size_t path_at = origin.find('/', host_at);
  const bool has_path = path_at != std::string::npos;
  if (has_path) origin.resize(path_at);
  const std::size_t bracket = origin.find(']', host_at);
  const std::size_t colon = origin.find(':', bracket == std::string::npos ? host_at : bracket);
  if (!is_host(std::string_view(origin).substr(
          host_at, colon == std::string::npos ? colon : colon - host_at))) {
    return tl::unexpected(std::string());
  }
  if (has_path) {
    const bool has_port = colon != std::string::npos;
    return tl::unexpected("an origin has no path" + (has_port ? "" : "; write '" + origin + "'"));
  }
  if (colon == std::string::npos) return origin;
  const Read<std::uint64_t> port = read_number(std::string_view(origin).substr(colon + 1));
  if (!port || !Range{1, 65535}.holds(*port))
    return tl::unexpected(std::string("a port is 1 to 65535"));
  origin.resize(colon);
  if (*port != (is_https ? 443U : 80U)) origin += ":" + std::to_string(*port);
  return origin;
}

bool is_dns_label(std::string_view text) {
  const auto is_inner = [](char c) { return is_lower(c) || is_digit(c) || c == '-'; };
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), is_inner) &&
         text.front() != '-' && text.back() != '-';
}

bool is_environment_name(std::string_view text) {
  const auto is_inner = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  return !text.empty() && !is_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), is_inner);
}

bool is_url_path(std::string_view text) {
  return text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) {
           return c > ' ' && c < 0x7f && c != '#';
         });
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
}

std::string to_text(Bytes size) { return show_amount(size.count, kSizeUnits, " bytes"); }

std::string to_text(Duration length) {
  return show_amount(static_cast<std::uint64_t>(length.count()), kTimeUnits, "ns");
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  // No known word is longer than this, and the distance costs the product of the lengths.
  constexpr std::size_t kWordMax = 32;
  const std::string meant = lowered(word.substr(0, kWordMax));
  std::string_view best;
  std::size_t best_distance = SIZE_MAX;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(meant, candidate);
    const std::size_t near = std::max<std::size_t>(1, std::max(meant.size(), candidate.size()) / 3);
    const bool is_near = distance <= near && distance < candidate.size();
    if (is_near && distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  if (!best.empty()) return best;
  for (const std::string_view candidate : known) {
    if (candidate.size() >= 3 && meant.starts_with(candidate)) return candidate;
  }
  return {};
}

}  // namespace kelvin::appfile
