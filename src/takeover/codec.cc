// codec: messages as bytes.
//
// Writing and reading go through the members of each struct as they are declared, so that none is left behind when one
// is added. Each enum that travels has a switch here, which breaks the build when it grows.
#include "takeover/codec.h"

#include <array>
#include <optional>
#include <type_traits>
#include <utility>

#include "takeover/members.h"

namespace kelvin::takeover {
namespace {

// --- which enumerators there are -------------------------------------------------------------------------------------

constexpr bool is_known(model::State it) {
  switch (it) {
    case model::State::Planned:
    case model::State::Fetching:
    case model::State::Starting:
    case model::State::Loading:
    case model::State::Ready:
    case model::State::Parking:
    case model::State::Parked:
    case model::State::Resuming:
    case model::State::Draining:
    case model::State::Stopping:
    case model::State::Gone:
      return true;
  }
  return false;
}

constexpr bool is_known(model::Phase it) {
  switch (it) {
    case model::Phase::Queue:
    case model::Phase::Fetch:
    case model::Phase::Start:
    case model::Phase::Load:
    case model::Phase::Busy:
    case model::Phase::Idle:
    case model::Phase::Park:
    case model::Phase::Parked:
    case model::Phase::Resume:
    case model::Phase::Drain:
    case model::Phase::Stop:
      return true;
  }
  return false;
}

constexpr bool is_known(model::Temperature it) {
  switch (it) {
    case model::Temperature::Hot:
    case model::Temperature::Warm:
    case model::Temperature::Parked:
    case model::Temperature::Cold:
      return true;
  }
  return false;
}

constexpr bool is_known(model::ExitCause it) {
  switch (it) {
    case model::ExitCause::Stopped:
    case model::ExitCause::Exited:
    case model::ExitCause::Killed:
    case model::ExitCause::OutOfMemory:
    case model::ExitCause::LaunchFailed:
    case model::ExitCause::NoProgress:
    case model::ExitCause::Unhealthy:
    case model::ExitCause::NodeLost:
    case model::ExitCause::Unknown:
      return true;
  }
  return false;
}

constexpr bool is_known(model::Settlement it) {
  switch (it) {
    case model::Settlement::Pending:
    case model::Settlement::Billed:
    case model::Settlement::Waived:
      return true;
  }
  return false;
}

constexpr bool is_known(model::Protocol it) {
  switch (it) {
    case model::Protocol::Http1:
    case model::Protocol::H2c:
      return true;
  }
  return false;
}

constexpr bool is_known(model::AffinityBy it) {
  switch (it) {
    case model::AffinityBy::None:
    case model::AffinityBy::Header:
    case model::AffinityBy::Cookie:
    case model::AffinityBy::Prefix:
      return true;
  }
  return false;
}

constexpr bool is_known(model::Priority it) {
  switch (it) {
    case model::Priority::High:
    case model::Priority::Normal:
    case model::Priority::Low:
      return true;
  }
  return false;
}

constexpr bool is_known(model::HandoverProblem it) {
  switch (it) {
    case model::HandoverProblem::NoSlot:
    case model::HandoverProblem::ClientLeft:
      return true;
  }
  return false;
}

constexpr bool is_known(model::Suspicion it) {
  switch (it) {
    case model::Suspicion::ConnectFailed:
    case model::Suspicion::BrokenReply:
    case model::Suspicion::FirstByteTimeout:
    case model::Suspicion::AliveFailed:
      return true;
  }
  return false;
}

constexpr bool is_known(os::SlotSide it) {
  switch (it) {
    case os::SlotSide::First:
    case os::SlotSide::Second:
      return true;
  }
  return false;
}

// ---------------------------------------------------------------------------------------------------------------------

class Writer {
 public:
  template <class... Values>
  void operator()(Values&... values) {
    (put(values), ...);
  }
  std::string take() { return std::move(bytes_); }

 private:
  template <class Value>
  void put(Value& value) {
    if constexpr (std::is_enum_v<Value>) {
      put_number(static_cast<std::underlying_type_t<Value>>(value));
    } else if constexpr (std::is_integral_v<Value>) {
      put_number(value);
    } else {
      with_members(value, *this);
    }
  }
  void put(Duration& value) { put_number(value.count()); }
  void put(std::string& text) {
    put_count(text.size());
    bytes_ += text;
  }
  template <class Value>
  void put(std::vector<Value>& list) {
    put_count(list.size());
    for (Value& value : list) put(value);
  }
  template <class Value>
  void put(std::optional<Value>& value) {
    put_number(value.has_value());
    if (value) put(*value);
  }
  template <std::size_t Size>
  void put(std::array<std::uint8_t, Size>& raw) {
    for (const std::uint8_t byte : raw) bytes_ += static_cast<char>(byte);
  }

  template <class Number>
  void put_number(Number number) {
    const auto raw = static_cast<std::uint64_t>(number);
    for (std::size_t i = 0; i < sizeof(Number); ++i)
      bytes_ += static_cast<char>((raw >> (8 * i)) & 0xff);
  }
  // What is too long to be counted is too long to be sent; encode() finds out.
  void put_count(std::size_t count) { put_number(static_cast<std::uint32_t>(count)); }

  std::string bytes_;
};

// After the first thing that is wrong, every value read is a default and is_good() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class... Values>
  void operator()(Values&... values) {
    (get(values), ...);
  }
  bool is_good() const { return is_good_; }
  bool is_at_end() const { return bytes_.empty(); }

 private:
  template <class Value>
  void get(Value& value) {
    if constexpr (std::is_same_v<Value, bool>) {
      const auto raw = get_number<std::uint8_t>();
      is_good_ = is_good_ && raw <= 1;
      value = raw == 1;
    } else if constexpr (std::is_enum_v<Value>) {
      using Raw = std::underlying_type_t<Value>;
      static_assert(std::is_unsigned_v<Raw>);
      const auto raw = get_number<Raw>();
      is_good_ = is_good_ && is_known(static_cast<Value>(raw));
      if (is_good_) value = static_cast<Value>(raw);
    } else if constexpr (std::is_integral_v<Value>) {
      value = get_number<Value>();
    } else {
      with_members(value, *this);
    }
  }
  void get(Duration& value) { value = Duration(get_number<std::int64_t>()); }
  void get(std::string& text) {
    const std::size_t count = get_count();
    text = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
  }
  template <class Value>
  void get(std::vector<Value>& list) {
    const std::size_t count = get_count();
    list.clear();
    // Grows with what is really there, not with what is announced.
    for (std::size_t i = 0; i < count && is_good_; ++i) get(list.emplace_back());
  }
  template <class Value>
  void get(std::optional<Value>& value) {
    bool is_there = false;
    get(is_there);
    value.reset();
    if (is_there && is_good_) get(value.emplace());
  }
  template <std::size_t Size>
  void get(std::array<std::uint8_t, Size>& raw) {
    for (std::uint8_t& byte : raw) byte = get_number<std::uint8_t>();
  }

  template <class Number>
  Number get_number() {
    if (bytes_.size() < sizeof(Number)) {
      is_good_ = false;
      bytes_ = {};
      return {};
    }
    std::uint64_t raw = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i)
      raw |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[i])) << (8 * i);
    bytes_.remove_prefix(sizeof(Number));
    return static_cast<Number>(raw);
  }
  // Every element has a byte at least.
  std::size_t get_count() {
    const std::size_t count = get_number<std::uint32_t>();
    if (count <= bytes_.size()) return count;
    is_good_ = false;
    bytes_ = {};
    return 0;
  }

  std::string_view bytes_;
  bool is_good_ = true;
};

tl::unexpected<Error> unreadable(std::string_view why) {
  return fail(Code::Invalid, Blame::Platform, Retry::Never,
              "unreadable message of the other platform process: " + std::string(why));
}

template <std::size_t Kind>
Result<Message> read_kind(std::string_view bytes) {
  std::variant_alternative_t<Kind, Message> value;
  Reader reader(bytes);
  reader(value);
  if (!reader.is_good()) return unreadable("a field is cut off or out of range");
  if (!reader.is_at_end()) return unreadable("something follows its last field");
  return Message(std::move(value));
}

template <std::size_t... Kinds>
Result<Message> read_any(std::size_t kind, std::string_view bytes,
                         std::index_sequence<Kinds...> /*all*/) {
  using Read = Result<Message> (*)(std::string_view);
  constexpr std::array<Read, sizeof...(Kinds)> kReaders = {read_kind<Kinds>...};
  if (kind >= kReaders.size()) return unreadable("its kind is not known");
  return kReaders[kind](bytes);
}

std::uint32_t length_at(std::string_view bytes) {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < kFrameHeadBytes; ++i)
    length |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return length;
}

}  // namespace

std::optional<Message> as_message(model::Event event) {
  return std::visit(
      [](auto& fact) -> std::optional<Message> {
        using Fact = std::remove_cvref_t<decltype(fact)>;
        constexpr bool kIsOfDataPlane =
            std::is_same_v<Fact, model::Demand> || std::is_same_v<Fact, model::RequestLeft> ||
            std::is_same_v<Fact, model::SlotFree> || std::is_same_v<Fact, model::HandoverRefused> ||
            std::is_same_v<Fact, model::BusyMeasured> ||
            std::is_same_v<Fact, model::ReplicaSuspected> ||
            std::is_same_v<Fact, model::ConnectionsClosed> ||
            std::is_same_v<Fact, model::SlotsDrained> || std::is_same_v<Fact, model::ProgressAsked>;
        if constexpr (kIsOfDataPlane) return Message(std::move(fact));
        return std::nullopt;
      },
      event);
}

Result<std::string> encode(Message message) {
  Writer body;
  std::visit([&body](auto& of_kind) { body(of_kind); }, message);
  const std::string bytes = body.take();
  if (bytes.size() >= kMessageBytesMax) {
    return fail(Code::Exhausted, Blame::Platform, Retry::Never,
                "a message for the other platform process has " + std::to_string(bytes.size()) +
                    " bytes; at most " + std::to_string(kMessageBytesMax) + " can be sent");
  }
  Writer head;
  auto length = static_cast<std::uint32_t>(bytes.size() + 1);
  auto kind = static_cast<std::uint8_t>(message.index());
  head(length, kind);
  return head.take() + bytes;
}

Result<std::optional<std::size_t>> frame_bytes(std::string_view received) {
  if (received.size() < kFrameHeadBytes) return std::optional<std::size_t>{};
  const std::size_t length = length_at(received);
  if (length == 0 || length > kMessageBytesMax) return unreadable("its length is out of range");
  return std::optional(kFrameHeadBytes + length);
}

Result<Message> decode(std::string_view frame) {
  KELVIN_TRY(const auto bytes, frame_bytes(frame));
  if (!bytes || *bytes != frame.size()) return unreadable("it is not one whole frame");
  const auto kind = static_cast<unsigned char>(frame[kFrameHeadBytes]);
  return read_any(kind, frame.substr(kFrameHeadBytes + 1),
                  std::make_index_sequence<std::variant_size_v<Message>>());
}

}  // namespace kelvin::takeover
