// lines: the lines of a file one by one, with their number, none longer than a limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/readers/readers.h"
#include "plan/readers/values.h"

namespace kelvin::plan {

class Lines {
 public:
  // `bytes` is read on from where it is; it outlives the lines.
  Lines(std::string name, const ReadBytes& bytes, std::size_t line_bytes_max);

  // Whether there is a next line that is not blank; it is then current. Blank ones count, but are skipped. A byte order
  // mark at the beginning and carriage returns at the ends are left out.
  [[nodiscard]] Reading<bool> advance();
  // Good until the next call of advance().
  [[nodiscard]] std::string_view current() const { return current_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }

  // At the current line.
  [[nodiscard]] tl::unexpected<Refusal> refuse(Complaint complaint) const;
  // About the file as a whole.
  [[nodiscard]] tl::unexpected<Refusal> refuse_file(Complaint complaint) const;

 private:
  Reading<bool> next_line();
  Reading<bool> fill();

  const std::string name_;
  const ReadBytes& bytes_;
  const std::size_t line_bytes_max_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;    // of what is not yet given out
  std::size_t end_ = 0;      // of what has been read
  std::size_t scanned_ = 0;  // up to where there is no line end
  bool is_at_end_ = false;
  std::string_view current_;
  std::uint64_t number_ = 0;
};

}  // namespace kelvin::plan
