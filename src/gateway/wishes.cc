#include "gateway/wishes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "model/ids.h"

namespace kelvin::gateway {

namespace {

constexpr std::string_view kPriority = "Kelvin-Priority";
constexpr std::string_view kDeadline = "Kelvin-Deadline";
constexpr std::string_view kReplica = "Kelvin-Replica";
constexpr std::string_view kProgress = "Kelvin-Progress";
constexpr std::array kAll = {kPriority, kDeadline, kReplica, kProgress};

constexpr Duration kDeadlineMax = 24h;

// Every field here begins like this, so that nearly all are told apart by their length and first byte.
bool may_be_wish(std::string_view name) {
  return name.size() > 7 && (name[0] == 'K' || name[0] == 'k') && name[6] == '-';
}

model::Refusal refuse(std::string_view field, std::string_view value, std::string_view expected) {
  constexpr std::size_t kShownMax = 80;
  std::string shown(value.substr(0, kShownMax));
  if (value.size() > kShownMax) shown += "...";
  return {.status = 400,
          .code = "wish_invalid",
          .sentence = std::string(field) + " is '" + shown + "'; it must be " +
                      std::string(expected) + ". Leave the field out if it is not needed.",
          .retry_after = {}};
}

std::optional<model::Priority> read_priority(std::string_view value) {
  for (const auto priority :
       {model::Priority::High, model::Priority::Normal, model::Priority::Low}) {
    if (http::same_name(value, to_text(priority))) return priority;
  }
  return std::nullopt;
}

std::optional<Duration> read_length(std::string_view value) {
  std::int64_t count = 0;
  const char* const end = value.data() + value.size();
  const auto [unit, error] = std::from_chars(value.data(), end, count);
  if (error != std::errc() || count <= 0 || count > whole_ms(kDeadlineMax)) return std::nullopt;
  const std::string_view name(unit, static_cast<std::size_t>(end - unit));
  Duration length{};
  if (name == "ms") length = count * Duration(1ms);
  if (name == "s") length = count * Duration(1s);
  if (name == "m") length = count * Duration(60s);
  if (name == "h") length = count * Duration(3600s);
  if (length <= Duration(0s) || length > kDeadlineMax) return std::nullopt;
  return length;
}

}  // namespace

tl::expected<Wishes, model::Refusal> read_wishes(const http::Head& head) {
  Wishes wishes;
  std::array<bool, kAll.size()> seen{};
  for (const http::Field& field : head.fields) {
    if (!may_be_wish(field.name)) continue;
    const auto known = std::find_if(kAll.begin(), kAll.end(), [&](std::string_view name) {
      return http::same_name(field.name, name);
    });
    if (known == kAll.end()) continue;
    if (std::exchange(seen[static_cast<std::size_t>(known - kAll.begin())], true))
      return tl::unexpected(refuse(*known, field.value, "given once"));
    if (*known == kPriority) {
      const auto priority = read_priority(field.value);
      if (!priority) return tl::unexpected(refuse(*known, field.value, "high, normal or low"));
      wishes.priority = *priority;
    } else if (*known == kDeadline) {
      wishes.deadline = read_length(field.value);
      if (!wishes.deadline)
        return tl::unexpected(
            refuse(*known, field.value, "a length of time up to 24h, such as 500ms, 30s or 5m"));
    } else if (*known == kProgress) {
      if (field.value != "1" && field.value != "0")
        return tl::unexpected(refuse(*known, field.value, "1 or 0"));
      wishes.progress = field.value == "1";
    } else {
      const auto replica = model::parse_replica_id(field.value);
      if (!replica)
        return tl::unexpected(refuse(*known, field.value, "the id of a replica, such as r3-17"));
      wishes.replica = *replica;
    }
  }
  return wishes;
}

bool is_wish(std::string_view field_name) {
  return may_be_wish(field_name) &&
         std::any_of(kAll.begin(), kAll.end(),
                     [&](std::string_view name) { return http::same_name(field_name, name); });
}

}  // namespace kelvin::gateway
