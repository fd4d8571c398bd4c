// h2_stream: the table of open streams.
#include "http/h2_stream.h"

#include <algorithm>

#include "base/check.h"

namespace kelvin::http {

// From the back: most calls are about streams that were opened lately.
H2StreamState* H2StreamTable::find(std::int32_t id) const {
  const auto at = std::find(ids_.rbegin(), ids_.rend(), id);
  if (at == ids_.rend()) return nullptr;
  return streams_[static_cast<std::size_t>(ids_.rend() - at) - 1].get();
}

H2StreamState& H2StreamTable::add(std::int32_t id) {
  std::unique_ptr<H2StreamState> stream;
  if (spare_.empty()) {
    stream = std::make_unique<H2StreamState>();
  } else {
    stream = std::move(spare_.back());
    spare_.pop_back();
  }
  stream->id = id;
  ids_.push_back(id);
  streams_.push_back(std::move(stream));
  return *streams_.back();
}

void H2StreamTable::renumber(H2StreamState& stream, std::int32_t id) {
  KELVIN_CHECK(streams_.back().get() == &stream);
  stream.id = ids_.back() = id;
}

std::unique_ptr<H2StreamState> H2StreamTable::take(std::int32_t id) {
  const auto at = std::find(ids_.begin(), ids_.end(), id);
  if (at == ids_.end()) return nullptr;
  const std::ptrdiff_t index = at - ids_.begin();
  std::unique_ptr<H2StreamState> stream = std::move(streams_[static_cast<std::size_t>(index)]);
  ids_.erase(at);
  streams_.erase(streams_.begin() + index);
  return stream;
}

// Two spare ones serve a connection of short requests; more would be memory of idle connections.
void H2StreamTable::recycle(std::unique_ptr<H2StreamState> stream) {
  constexpr std::size_t spare_max = 2;
  constexpr std::size_t spare_bytes_max = 16 * 1024;
  if (stream == nullptr || spare_.size() >= spare_max ||
      stream->outbox.capacity() > spare_bytes_max)
    return;
  H2Outbox outbox = std::move(stream->outbox);
  outbox.clear();
  *stream = H2StreamState();
  stream->outbox = std::move(outbox);
  spare_.push_back(std::move(stream));
}

}  // namespace kelvin::http
