// h2_stream: what a session keeps of one stream, above all its outbox.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h2_head.h"

namespace kelvin::http {

// Bytes that wait to leave, at most `limit` of them (the caller keeps to room()).
class H2Outbox {
 public:
  [[nodiscard]] std::size_t waiting() const { return bytes_.size() - gone_; }
  void add(std::string_view piece) {
    // At most half of the buffer is dead, so each byte moves once on average.
    if (gone_ > 0 && 2 * gone_ >= bytes_.size()) {
      bytes_.erase(0, gone_);
      gone_ = 0;
    }
    bytes_.append(piece);
  }
  void move_to(std::string& out, std::size_t size) {
    out.append(bytes_, gone_, size);
    gone_ += size;
    if (waiting() == 0) clear();
  }
  void clear() {
    bytes_.clear();
    gone_ = 0;
  }
  [[nodiscard]] std::size_t capacity() const { return bytes_.capacity(); }

 private:
  std::string bytes_;
  std::size_t gone_ = 0;
};

// Fields that leave after the body, copied.
class H2Trailers {
 public:
  void add(const Field& field) {
    text_.append(field.name).append(field.value);
    sizes_.emplace_back(field.name.size(), field.value.size());
  }
  [[nodiscard]] bool empty() const { return sizes_.empty(); }
  // Calls `each(name, value)` in order.
  template <class Each>
  void visit(Each each) const {
    std::string_view rest = text_;
    for (const auto& [name, value] : sizes_) {
      each(rest.substr(0, name), rest.substr(name, value));
      rest.remove_prefix(name + value);
    }
  }

 private:
  std::string text_;
  std::vector<std::pair<std::size_t, std::size_t>> sizes_;
};

struct H2StreamState {
  std::int32_t id = 0;
  H2Outbox outbox;
  H2Trailers trailers;
  std::size_t unconsumed = 0;  // bytes given to on_body and not yet to consume()
  bool is_known = false;       // the listener has seen it, or made it
  bool is_silent = false;      // reset by our user: no event any more
  bool is_answered = false;    // our final head is submitted
  bool head_left = false;      // and produced
  bool was_half_full = false;  // on_room is owed once the outbox sinks
  bool is_deferred = false;    // the library waits to be told of more body
  bool is_finishing = false;   // our user has said that our side is complete
  bool own_side_done = false;  // and that is produced
  bool peer_side_done = false;
  bool peer_reset = false;
  bool discards = false;
};

// The streams that are open, by number. A stream keeps its place in memory until it is recycled.
class H2StreamTable {
 public:
  [[nodiscard]] std::size_t size() const { return ids_.size(); }
  [[nodiscard]] H2StreamState* find(std::int32_t id) const;
  H2StreamState& add(std::int32_t id);
  // For the stream added last, whose number was not known before.
  void renumber(H2StreamState& stream, std::int32_t id);
  // The owner of a stream out of the table; null when there is none of that number.
  [[nodiscard]] std::unique_ptr<H2StreamState> take(std::int32_t id);
  [[nodiscard]] std::unique_ptr<H2StreamState> take_last() { return take(ids_.back()); }
  // Keeps a few for add(). Null is fine.
  void recycle(std::unique_ptr<H2StreamState> stream);

 private:
  // Side by side: a hundred numbers are found faster in a row than in a tree.
  std::vector<std::int32_t> ids_;
  std::vector<std::unique_ptr<H2StreamState>> streams_;
  std::vector<std::unique_ptr<H2StreamState>> spare_;
};

}  // namespace kelvin::http
