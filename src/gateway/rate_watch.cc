// rate_watch: says when bytes that were promised come too slowly.
#include "gateway/rate_watch.h"

namespace kelvin::gateway {
namespace {

// Whether so many bytes are enough for one window; the product of the two may need more than 64 bits.
bool are_enough(std::uint64_t bytes, const RateRule& rule) {
  __extension__ using Wide = unsigned __int128;
  const auto window_ns = static_cast<std::uint64_t>(rule.window.count());
  return Wide{bytes} * 1'000'000'000 >= Wide{rule.bytes_per_second_min} * window_ns;
}

}  // namespace

void RateWatch::resume(Instant now) {
  if (running_since_ == Instant::never()) running_since_ = now;
}

void RateWatch::pause(Instant now) {
  if (running_since_ == Instant::never()) return;
  waited_ += now - running_since_;
  running_since_ = Instant::never();
}

bool RateWatch::is_too_slow(const RateRule& rule, Instant now) {
  const bool is_running = running_since_ != Instant::never();
  const Duration waited = waited_ + (is_running ? now - running_since_ : Duration(0));
  if (rule.bytes_per_second_min == 0 || waited < rule.window) return false;
  if (!are_enough(bytes_, rule)) return true;
  waited_ = Duration(0);
  bytes_ = 0;
  if (is_running) running_since_ = now;
  return false;
}

Instant RateWatch::deadline(const RateRule& rule) const {
  if (running_since_ == Instant::never() || rule.bytes_per_second_min == 0) return Instant::never();
  return running_since_ + (rule.window - waited_);
}

}  // namespace kelvin::gateway
