// progress: a bar for work whose end is known, on a terminal and when it takes more than a second.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "cli/page.h"
#include "cli/terminal.h"

namespace kelvin::cli {

// What is counted. Of anything but bytes neither numbers nor speed are shown, which say little about them.
enum class Amount { Bytes, Work };

struct ProgressView {
  std::string label;  // "uploading"
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  Duration elapsed{};
  Amount amount = Amount::Bytes;
};

// "replaying: knative  ━━━━━━━━━━──────────  52%  12s  11s left" or
// "uploading  ━━━━━━━━━━──────────  52%  128 MiB of 244 MiB  41.0 MiB/s  2s left", as wide as the page allows.
[[nodiscard]] std::string render_progress(const ProgressView& view, const Page& page);

// Draws over one line, at most ten times a second, and removes it at the end. Silent on anything but a terminal.
class Progress {
 public:
  struct Surface {
    Terminal terminal;
    std::function<void(std::string_view)> write;
    std::function<Instant()> now;
  };

  Progress(Surface surface, std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done, std::uint64_t total, Amount amount = Amount::Bytes);
  // A line without a bar, for waits whose end is not known: "starting: memory grew to 212 MiB  12s".
  void note(const std::string& text);
  void clear();
  // From the next drawing on.
  void relabel(std::string label) { label_ = std::move(label); }
  Duration elapsed() const { return surface_.now() - began_; }

 private:
  bool is_due();

  Surface surface_;
  std::string label_;
  Instant began_;
  Instant drawn_;
  bool is_drawn_ = false;
};

}  // namespace kelvin::cli
