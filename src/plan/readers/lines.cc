#include "plan/readers/lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace kelvin::plan {

namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t") == std::string_view::npos;
}

}  // namespace

Lines::Lines(std::string name, const ReadBytes& bytes, std::size_t line_bytes_max)
    : name_(std::move(name)), bytes_(bytes), line_bytes_max_(line_bytes_max) {}

Reading<bool> Lines::advance() {
  for (;;) {
    Reading<bool> has_line = next_line();
    if (!has_line || !*has_line || !is_blank(current_)) return has_line;
  }
}

Reading<bool> Lines::next_line() {
  for (;;) {
    const void* found =
        scanned_ == end_ ? nullptr : std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_);
    scanned_ = end_;
    const bool is_last = found == nullptr && is_at_end_;
    const std::size_t stop =
        found == nullptr
            ? end_
            : static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
    if (stop - begin_ > line_bytes_max_) {
      ++number_;
      return refuse({fmt::format("a line of more than {} bytes", line_bytes_max_),
                     "Check that this is a trace in one of the formats of kelvin plan --help"});
    }
    if (found == nullptr && !is_last) {
      if (Reading<bool> more = fill(); !more) return more;
      continue;
    }
    if (is_last && begin_ == end_) return false;
    current_ = {buffer_.data() + begin_, stop - begin_};
    begin_ = scanned_ = std::min(stop + 1, end_);
    ++number_;
    if (number_ == 1 && current_.starts_with(kByteOrderMark)) current_.remove_prefix(3);
    if (current_.ends_with('\r')) current_.remove_suffix(1);
    return true;
  }
}

Reading<bool> Lines::fill() {
  if (begin_ > 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    scanned_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < end_ + kChunk) buffer_.resize(std::max(2 * buffer_.size(), end_ + kChunk));
  const auto read = bytes_(std::span(buffer_).subspan(end_));
  if (!read) return refuse_file({"cannot be read: " + read.error(), "Check the file"});
  is_at_end_ = *read == 0;
  end_ += *read;
  return true;
}

tl::unexpected<Refusal> Lines::refuse(Complaint complaint) const {
  return tl::unexpected(
      Refusal{name_, number_, std::move(complaint.what), std::move(complaint.next)});
}

tl::unexpected<Refusal> Lines::refuse_file(Complaint complaint) const {
  return tl::unexpected(Refusal{name_, 0, std::move(complaint.what), std::move(complaint.next)});
}

}  // namespace kelvin::plan
