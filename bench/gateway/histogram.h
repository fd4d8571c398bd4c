// histogram: counts durations in buckets of at most 0.8 % width, from a nanosecond to hours, in fixed memory.
//
// A value below 128 has a bucket of its own. Above, the bucket is the position of the highest bit and the seven bits that
// follow it: 1,000 ns = 0b1111101000 falls into the bucket that begins at 1,000 and ends before 1,008 (0.8 % further).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace bench {

class Histogram {
 public:
  void add(std::uint64_t value) {
    ++counts_[bucket_of(value)];
    ++total_;
    largest_ = std::max(largest_, value);
  }

  std::uint64_t total() const { return total_; }
  std::uint64_t largest() const { return largest_; }

  // The value that `per_100k` of 100,000 samples do not exceed; rounded up to the end of its bucket. 0 without samples.
  std::uint64_t quantile(std::uint64_t per_100k) const {
    const std::uint64_t wanted = (total_ * per_100k + 99'999) / 100'000;
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
      seen += counts_[bucket];
      if (seen >= wanted && seen != 0) return std::min(end_of(bucket) - 1, largest_);
    }
    return largest_;
  }

 private:
  static constexpr unsigned kBits = 7;
  static constexpr std::size_t kBuckets = (64 - kBits + 1) << kBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < (1U << kBits)) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return (static_cast<std::size_t>(shift + 1) << kBits) +
           ((value >> shift) & ((1U << kBits) - 1));
  }

  static std::uint64_t end_of(std::size_t bucket) {
    if (bucket < (1U << kBits)) return bucket + 1;
    const std::size_t shift = (bucket >> kBits) - 1;
    return ((bucket & ((1U << kBits) - 1)) + (1U << kBits) + 1) << shift;
  }

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace bench
