// chunks: follows a chunked body, and keeps the fields that come after it.
//
// Everything outside the payload is read byte by byte, since a body may be cut anywhere. Nearly
// every chunk begins with a plain size line that is there as a whole, and ends with CR LF: these two
// are taken at one go.
#include <algorithm>

#include "http/message.h"
#include "http/octets.h"

namespace kelvin::http {
namespace {
constexpr std::size_t kLineEndBytes = 2;
constexpr std::uint32_t kSizeDigitsMax = 15;
constexpr std::uint32_t kExtensionBytesMax = 1024;
constexpr std::size_t kTrailerBytesMax = 8 * 1024;
constexpr std::size_t kTrailersMax = 128;

bool begins_with_line_end(std::string_view bytes) {
  return bytes.size() >= kLineEndBytes && bytes[0] == '\r' && bytes[1] == '\n';
}
}  // namespace

// Takes one byte outside the payload; returns a sentence when it may not stand there, else nothing.
std::string_view ChunkReader::read_framing(char byte) {
  switch (where_) {
    case Where::Size: {
      const int value = hex_value(byte);
      if (value >= 0) {
        if (++digits_ > kSizeDigitsMax) return "A chunk's size is too large.";
        left_ = left_ * 16 + static_cast<std::uint64_t>(value);
        return {};
      }
      if (digits_ == 0 || (byte != ';' && byte != '\r'))
        return "A chunk's size is not a hexadecimal number.";
      where_ = byte == ';' ? Where::SizeExtension : Where::SizeEnd;
      return {};
    }
    case Where::SizeExtension:
      if (byte == '\r') {
        where_ = Where::SizeEnd;
        return {};
      }
      if (!is_of(byte, kValue)) return "A chunk's extension holds a control byte.";
      return ++extra_bytes_ > kExtensionBytesMax ? "A chunk's extensions are too long."
                                                 : std::string_view();
    case Where::SizeEnd:
      if (byte != '\n') return "A chunk's size is followed by a bare carriage return.";
      where_ = left_ == 0 ? Where::LineStart : Where::Payload;
      extra_bytes_ = 0;
      digits_ = 0;
      return {};
    case Where::PayloadEnd:
      where_ = Where::PayloadEndLf;
      return byte == '\r' ? std::string_view() : "A chunk is longer than its size says.";
    case Where::PayloadEndLf:
      where_ = Where::Size;
      return byte == '\n' ? std::string_view() : "A chunk ends with a bare carriage return.";
    case Where::LineStart:
    case Where::TrailerName:
    case Where::TrailerValue:
    case Where::TrailerLf:
      return read_trailer(byte);
    case Where::LastLf:
      where_ = Where::Done;
      return byte == '\n' ? finish_trailers() : "The body ends with a bare carriage return.";
    case Where::Payload:
    case Where::Done:
      break;
  }
  return {};
}

std::string_view ChunkReader::read_trailer(char byte) {
  switch (where_) {
    case Where::LineStart:
      if (byte == '\r') {
        where_ = Where::LastLf;
        return {};
      }
      where_ = Where::TrailerName;
      return is_of(byte, kToken) ? keep_trailer(byte)
                                 : "A trailer field does not begin with its name.";
    case Where::TrailerName:
      if (byte == ':')
        where_ = Where::TrailerValue;
      else if (!is_of(byte, kToken))
        return "A trailer field's name holds a character that may not stand there.";
      return keep_trailer(byte);
    case Where::TrailerValue:
      if (byte == '\r')
        where_ = Where::TrailerLf;
      else if (!is_of(byte, kValue))
        return "A trailer field's value holds a control byte.";
      return keep_trailer(byte);
    case Where::TrailerLf:
      where_ = Where::LineStart;
      return byte == '\n' ? keep_trailer(byte)
                          : "A trailer field ends with a bare carriage return.";
    case Where::Size:
    case Where::SizeExtension:
    case Where::SizeEnd:
    case Where::Payload:
    case Where::PayloadEnd:
    case Where::PayloadEndLf:
    case Where::LastLf:
    case Where::Done:
      break;
  }
  return {};
}

std::string_view ChunkReader::keep_trailer(char byte) {
  if (!trailers_) trailers_ = std::make_unique<Trailers>();
  if (trailers_->text.size() == kTrailerBytesMax) return "The trailers are too long.";
  trailers_->text.push_back(byte);
  return {};
}

// Every line was held to its form as it came in: a name, a colon, a value, CR LF.
std::string_view ChunkReader::finish_trailers() {
  if (!trailers_) return {};
  std::size_t count = 0;
  for (std::string_view rest = trailers_->text; !rest.empty();) {
    if (++count > kTrailersMax) return "The body has too many trailer fields.";
    const std::string_view line = rest.substr(0, rest.find('\r'));
    rest.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    const Field field{.name = line.substr(0, colon), .value = trim(line.substr(colon + 1))};
    if (!is_for_heads_only(field.name)) trailers_->fields.push_back(field);
  }
  return {};
}

std::span<const Field> ChunkReader::trailers() const {
  if (where_ != Where::Done || !trailers_) return {};
  return trailers_->fields;
}

// Takes "SIZE CR LF" when all of it lies at the front of `bytes`, or the CR LF behind a payload; returns
// how much it took. Nothing is taken of what is not exactly so.
std::size_t ChunkReader::take_plain(std::string_view bytes) {
  if (where_ == Where::PayloadEnd) {
    if (!begins_with_line_end(bytes)) return 0;
    where_ = Where::Size;
    return kLineEndBytes;
  }
  if (where_ != Where::Size || digits_ != 0) return 0;
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (; digits < bytes.size() && digits < kSizeDigitsMax; ++digits) {
    const int value = hex_value(bytes[digits]);
    if (value < 0) break;
    size = size * 16 + static_cast<std::uint64_t>(value);
  }
  if (digits == 0 || !begins_with_line_end(bytes.substr(digits))) return 0;
  left_ = size;
  where_ = size == 0 ? Where::LineStart : Where::Payload;
  return digits + kLineEndBytes;
}

ChunkReader::Step ChunkReader::feed(std::string_view bytes) {
  Step step;
  while (step.consumed < bytes.size() && where_ != Where::Done) {
    const std::string_view rest = bytes.substr(step.consumed);
    if (where_ == Where::Payload) {
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
      step.payload = rest.substr(0, taken);
      step.consumed += taken;
      left_ -= taken;
      if (left_ == 0) where_ = Where::PayloadEnd;
      return step;
    }
    if (const std::size_t taken = take_plain(rest); taken > 0) {
      step.consumed += taken;
      continue;
    }
    step.why = read_framing(rest.front());
    if (!step.why.empty()) {
      step.parsed = Parsed::Refused;
      return step;
    }
    ++step.consumed;
  }
  if (where_ == Where::Done) step.parsed = Parsed::Done;
  return step;
}

}  // namespace kelvin::http
