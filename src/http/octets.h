// octets: the classes of bytes that heads and chunks are made of, and the ends of runs of them. For
// this folder only.
//
// A value is most of a head, so its end, the first byte below 0x20 or equal to 0x7f, is looked for many
// bytes at a time. In words without vector instructions such a byte sets its top bit in a word of flags;
// the subtraction borrows only upwards, so the lowest flag is always true, and only the lowest is used.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace kelvin::http {

enum : std::uint8_t { kToken = 1, kValue = 2, kTarget = 4, kHost = 8, kMethod = 16 };

constexpr bool is_digit(unsigned c) { return c >= '0' && c <= '9'; }

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";
  for (unsigned c = 0; c < 256; ++c) {
    const char as_char = static_cast<char>(c);
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_plain = is_upper || (c >= 'a' && c <= 'z') || is_digit(c);
    unsigned of_byte = 0;
    if (is_plain || token_marks.find(as_char) != std::string_view::npos) of_byte |= kToken;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) of_byte |= kValue;
    if (c > 0x20 && c < 0x7f && c != '#') of_byte |= kTarget;
    if (is_plain || c == '-' || c == '.' || c == '_' || c == '~') of_byte |= kHost;
    if (is_upper || is_digit(c) || c == '-' || c == '_') of_byte |= kMethod;
    classes[c] = static_cast<std::uint8_t>(of_byte);
  }
  return classes;
}
inline constexpr auto kClasses = make_classes();

constexpr std::array<std::int8_t, 256> make_hex_values() {
  std::array<std::int8_t, 256> values{};
  for (unsigned c = 0; c < 256; ++c) {
    const unsigned letter = c | 0x20U;
    const int value = is_digit(c)                      ? static_cast<int>(c - '0')
                      : letter >= 'a' && letter <= 'f' ? static_cast<int>(letter - 'a' + 10)
                                                       : -1;
    values[c] = static_cast<std::int8_t>(value);
  }
  return values;
}
inline constexpr auto kHexValues = make_hex_values();

// -1: no hexadecimal digit.
inline int hex_value(char c) { return kHexValues[static_cast<unsigned char>(c)]; }
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
inline bool is_of(char c, std::uint8_t cls) {
  return (kClasses[static_cast<unsigned char>(c)] & cls) != 0;
}
inline bool all_of(std::string_view text, std::uint8_t cls) {
  unsigned together = cls;
  for (const char c : text) together &= kClasses[static_cast<unsigned char>(c)];
  return together != 0;
}

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }
inline std::string_view trim(std::string_view text) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  while (begin != end && is_blank(*begin)) ++begin;
  while (begin != end && is_blank(end[-1])) --end;
  return {begin, static_cast<std::size_t>(end - begin)};
}

// Where the run of bytes of `cls` ends that begins at `from`; the text's size when it does not.
inline std::size_t end_of_run(std::string_view text, std::size_t from, std::uint8_t cls) {
  while (from < text.size() && is_of(text[from], cls)) ++from;
  return from;
}

// The same for kValue, eight bytes at a time.
inline std::size_t end_of_value_by_words(std::string_view text, std::size_t from) {
  static_assert(std::endian::native == std::endian::little, "the lowest byte comes first");
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t tops = 0x8080808080808080U;
  while (from + 8 <= text.size()) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + from, sizeof word);
    const std::uint64_t as_delete = word ^ (ones * 0x7fU);
    const std::uint64_t flags =
        (((word - ones * 0x20U) & ~word) | ((as_delete - ones) & ~as_delete)) & tops;
    if (flags == 0) {
      from += 8;
      continue;
    }
    from += static_cast<std::size_t>(std::countr_zero(flags)) / 8;
    if (text[from] != '\t') return from;
    ++from;
  }
  return end_of_run(text, from, kValue);
}

#if defined(__SSE2__)
// The same, sixteen at a time.
inline std::size_t end_of_value(std::string_view text, std::size_t from) {
  while (from + 16 <= text.size()) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    const __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i is_delete = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    const auto flags =
        static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(is_control, is_delete)));
    if (flags == 0) {
      from += 16;
      continue;
    }
    from += static_cast<std::size_t>(std::countr_zero(flags));
    if (text[from] != '\t') return from;
    ++from;
  }
  return end_of_value_by_words(text, from);
}

// The end of a name. Most names are letters, digits and '-' only, and shorter than sixteen bytes: one look finds where
// these end, and the table decides about the rest.
inline std::size_t end_of_name(std::string_view text, std::size_t from) {
  while (from + 16 <= text.size()) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    const __m128i from_a =
        _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i from_0 = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(from_a, _mm_set1_epi8(25)), from_a);
    const __m128i is_number = _mm_cmpeq_epi8(_mm_min_epu8(from_0, _mm_set1_epi8(9)), from_0);
    const __m128i is_dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
    const auto plain = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(is_letter, is_number), is_dash)));
    if (plain == 0xffffU) {
      from += 16;
      continue;
    }
    from += static_cast<std::size_t>(std::countr_one(plain));
    if (text[from] == ':') return from;
    break;
  }
  return end_of_run(text, from, kToken);
}
#else
inline std::size_t end_of_value(std::string_view text, std::size_t from) {
  return end_of_value_by_words(text, from);
}
inline std::size_t end_of_name(std::string_view text, std::size_t from) {
  return end_of_run(text, from, kToken);
}
#endif

}  // namespace kelvin::http
