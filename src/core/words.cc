#include "core/words.h"

namespace kelvin {

std::string milli_words(std::int64_t milli) {
  if (milli < 0) return "-" + milli_words(-milli);
  const std::int64_t hundredths = (milli + 5) / 10;
  std::string text = std::to_string(hundredths / 100);
  const std::int64_t rest = hundredths % 100;
  if (rest == 0) return text;
  text += '.';
  text += static_cast<char>('0' + rest / 10);
  if (rest % 10 != 0) text += static_cast<char>('0' + rest % 10);
  return text;
}

std::string to_words(Duration time) {
  const std::int64_t us = time.count() / 1000;
  if (us < 0) return "-" + to_words(-time);
  if (us < 10'000) return milli_words((us + 50) / 100 * 100) + " ms";
  if (us < 1'000'000) return std::to_string((us + 500) / 1000) + " ms";
  const std::int64_t ms = us / 1000;
  if (ms < 100'000) return milli_words((ms + 50) / 100 * 100) + " s";
  if (ms < 600'000) return std::to_string(ms / 1000) + " s";
  return std::to_string(ms / 60'000) + " min";
}

std::string to_words(Bytes bytes) {
  constexpr std::uint64_t kMiB = 1ULL << 20U;
  const std::uint64_t mib = (bytes.count + kMiB / 2) / kMiB;
  if (mib < 1024) return std::to_string(mib) + " MiB";
  const std::uint64_t tenths = (mib * 10 + 512) / 1024;
  return milli_words(static_cast<std::int64_t>(tenths * 100)) + " GiB";
}

std::string count_words(std::uint64_t count, std::string_view noun) {
  std::string text = std::to_string(count) + " " + std::string(noun);
  if (count == 1) return text;
  if (text.ends_with('y')) {
    text.pop_back();
    return text + "ies";
  }
  return text + "s";
}

}  // namespace kelvin
