#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

constexpr Duration kPatience = 1s;
constexpr Duration kRedraw = 100ms;
constexpr int kBarMax = 30;
constexpr int kBarMin = 8;
constexpr int kColumnsUnknown = 80;

std::string bar_of(const ProgressView& view, int width, bool has_unicode) {
  const std::uint64_t total = std::max<std::uint64_t>(view.total, 1);
  const std::uint64_t done = std::min(view.done, total);
  // Bytes in exabytes times a bar of 30 still fit into 128 bits only.
  const auto filled =
      static_cast<int>(static_cast<unsigned __int128>(done) * static_cast<unsigned>(width) / total);
  std::string bar;
  for (int at = 0; at < width; ++at)
    bar += at < filled ? (has_unicode ? "━" : "#") : (has_unicode ? "─" : "-");
  return bar;
}

std::string speed_of(const ProgressView& view) {
  const std::int64_t ms = whole_ms(view.elapsed);
  if (ms <= 0 || view.done == 0) return "";
  const auto rate = static_cast<std::uint64_t>(static_cast<unsigned __int128>(view.done) * 1000 /
                                               static_cast<unsigned>(ms));
  std::string out = fmt::format("  {}/s", bytes_text(rate));
  if (rate > 0 && view.total > view.done) {
    out += fmt::format("  {} left",
                       age_text(static_cast<std::int64_t>((view.total - view.done) / rate) * 1000));
  }
  return out;
}

std::string time_of(const ProgressView& view) {
  std::string out = "  " + age_text(whole_ms(view.elapsed));
  if (view.done == 0 || view.done >= view.total) return out;
  const auto left_ms =
      static_cast<std::int64_t>(static_cast<unsigned __int128>(whole_ms(view.elapsed)) *
                                (view.total - view.done) / view.done);
  return out + fmt::format("  {} left", age_text(left_ms));
}

std::string tail_of(const ProgressView& view, std::uint64_t percent) {
  if (view.amount == Amount::Work) return fmt::format("  {:>3}%{}", percent, time_of(view));
  return fmt::format("  {:>3}%  {} of {}{}", percent, bytes_text(view.done), bytes_text(view.total),
                     speed_of(view));
}

}  // namespace

std::string render_progress(const ProgressView& view, const Page& page) {
  const std::uint64_t percent =
      view.total == 0
          ? 100
          : static_cast<std::uint64_t>(
                static_cast<unsigned __int128>(std::min(view.done, view.total)) * 100 / view.total);
  const std::string tail = tail_of(view, percent);
  const int columns = page.columns == 0 ? kColumnsUnknown : page.columns;
  const int room = columns - 1 - static_cast<int>(columns_of(view.label) + columns_of(tail)) - 2;
  if (room < kBarMin)
    return cut(view.label + tail, static_cast<std::size_t>(columns - 1), page.has_unicode);
  return view.label + "  " + bar_of(view, std::min(room, kBarMax), page.has_unicode) + tail;
}

Progress::Progress(Surface surface, std::string label)
    : surface_(std::move(surface)), label_(std::move(label)), began_(surface_.now()) {}

Progress::~Progress() { clear(); }

bool Progress::is_due() {
  if (!surface_.terminal.is_terminal) return false;
  const Instant now = surface_.now();
  if (now - began_ < kPatience) return false;
  if (is_drawn_ && now - drawn_ < kRedraw) return false;
  drawn_ = now;
  is_drawn_ = true;
  return true;
}

void Progress::update(std::uint64_t done, std::uint64_t total, Amount amount) {
  if (!is_due()) return;
  const Page page{.columns = surface_.terminal.columns,
                  .has_unicode = surface_.terminal.has_unicode};
  const ProgressView view{label_, done, total, elapsed(), amount};
  surface_.write("\r" + render_progress(view, page) + "\x1b[K");
}

void Progress::note(const std::string& text) {
  if (!is_due()) return;
  const int columns = surface_.terminal.columns == 0 ? kColumnsUnknown : surface_.terminal.columns;
  const std::string time = "  " + age_text(whole_ms(elapsed()));
  const auto room =
      static_cast<std::size_t>(std::max(columns - 1 - static_cast<int>(columns_of(time)), 0));
  surface_.write("\r" + cut(label_ + ": " + text, room, surface_.terminal.has_unicode) + time +
                 "\x1b[K");
}

void Progress::clear() {
  if (!is_drawn_) return;
  surface_.write("\r\x1b[K");
  is_drawn_ = false;
}

}  // namespace kelvin::cli
