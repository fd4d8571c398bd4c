// reply: follows one HTTP/1.1 reply as its bytes come: head, then a body by Content-Length or in chunks.
//
// Written for well-behaved servers: what it does not understand it calls broken, and the tool counts an error.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace bench {

class Reply {
 public:
  enum class Step { NeedsMore, Done, Broken };

  // Takes some bytes. `used` becomes how many of them belong to this reply.
  Step take(std::string_view bytes, std::size_t& used);

  // Content bytes are handed over as they come when somebody wants them.
  template <typename Sink>
  Step take(std::string_view bytes, std::size_t& used, Sink&& sink);

  int status() const { return status_; }
  bool is_last() const { return is_last_; }
  // How many bytes of the body are known to be missing: they may be dropped unread by skip(). 0 in a head or among chunks.
  std::uint64_t missing() const { return part_ == Part::Body ? left_ : 0; }
  // Done when that was all of them.
  Step skip(std::uint64_t bytes);
  // For the next reply of the connection.
  void reset();

 private:
  enum class Part { Head, Body, ChunkSize, ChunkBytes, ChunkEnd, LastLine };
  static constexpr std::size_t kHeadMax = 2048;

  // Bytes of `bytes` that belong to the head; the head is whole when part_ is no longer Head.
  Step take_head(std::string_view bytes, std::size_t& used);
  Step read_head(std::string_view head);
  Step read_field(std::string_view line);
  Step take_framing(char byte);

  Part part_ = Part::Head;
  bool is_last_ = false;
  bool is_chunked_ = false;
  int status_ = 0;
  std::uint64_t left_ = 0;
  std::size_t line_length_ = 0;
  std::size_t head_length_ = 0;
  std::array<char, kHeadMax> head_;
};

template <typename Sink>
Reply::Step Reply::take(std::string_view bytes, std::size_t& used, Sink&& sink) {
  used = 0;
  if (part_ == Part::Head) {
    const Step step = take_head(bytes, used);
    if (step != Step::NeedsMore || part_ == Part::Head) return step;
  }
  while (used < bytes.size()) {
    if (part_ == Part::Body || part_ == Part::ChunkBytes) {
      const std::size_t count = std::min<std::uint64_t>(left_, bytes.size() - used);
      sink(bytes.substr(used, count));
      used += count;
      left_ -= count;
      if (left_ != 0) continue;
      if (part_ == Part::Body) return Step::Done;
      part_ = Part::ChunkEnd;
    } else {
      const Step step = take_framing(bytes[used]);
      ++used;
      if (step != Step::NeedsMore) return step;
    }
  }
  return Step::NeedsMore;
}

}  // namespace bench
