#include "plan/readers/servegen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "os/files.h"
#include "plan/readers/byte_file.h"
#include "plan/readers/lines.h"
#include "plan/readers/trace_builder.h"
#include "plan/readers/values.h"

namespace kelvin::plan {

namespace {

constexpr Duration kWindow = 600s;
constexpr std::array<std::string_view, 6> kColumns = {"start",  "rate",  "variation",
                                                      "family", "shape", "scale"};
enum Column : std::size_t { kStart, kRate, kVariation, kFamily, kShape };
constexpr std::string_view kPrefix = "chunk-";
constexpr std::string_view kTraceSuffix = "-trace.csv";
constexpr std::string_view kDatasetSuffix = "-dataset.json";
// Tables are probabilities; theirs are printed with 17 digits.
constexpr double kSumSlack = 0.01;

Checked<Window> read_window(std::string_view line, const ReadLimits& limits) {
  Row row(kColumns, line);
  const double start = row.number(kStart, {.least = 0, .most = 1e9});
  const double rate = row.number(kRate, {.least = 0, .most = limits.rate_max});
  if (row.complaint()) return tl::unexpected(*row.complaint());
  Window window{.from = Duration(to_ns(start)), .to = Duration(to_ns(start)) + kWindow};
  if (rate == 0) return window;
  window.rate = rate;
  window.shape = row.number(kShape, {.least = limits.shape_min, .most = limits.shape_max});
  if (row.complaint()) return tl::unexpected(*row.complaint());
  const std::string_view family = row.text(kFamily);
  if (family != "Gamma" && family != "Weibull")
    return complain(fmt::format("the family is {} instead of Gamma or Weibull", in_quotes(family)));
  window.family = family == "Gamma" ? Family::Gamma : Family::Weibull;
  return window;
}

Reading<std::vector<Window>> read_windows(Lines& lines, const ReadLimits& limits) {
  std::vector<Window> windows;
  for (;;) {
    const Reading<bool> has_line = lines.advance();
    if (!has_line) return tl::unexpected(has_line.error());
    if (!*has_line) break;
    const Checked<Window> window = read_window(lines.current(), limits);
    if (!window) return lines.refuse(window.error());
    if (!windows.empty() && window->from < windows.back().to) {
      return lines.refuse(
          {fmt::format("the window begins less than {} s after the one above it", kWindow / 1s),
           "Sort the lines by their first column, one window each"});
    }
    if (window->to > limits.span_max) {
      return lines.refuse(
          {fmt::format("the window lies beyond {} days", limits.span_max / std::chrono::hours(24)),
           "Correct the line or remove it"});
    }
    windows.push_back(*window);
  }
  if (windows.empty())
    return lines.refuse_file({"no windows in it", "Give one line per window of 600 s"});
  return windows;
}

// Takes "378: 0.25" off the front, up to and with the comma after it.
Checked<std::pair<double, double>> take_pair(std::string_view& text, const ReadLimits& limits) {
  const std::string_view pair = text.substr(0, text.find(','));
  text.remove_prefix(std::min(pair.size() + 1, text.size()));
  const std::size_t colon = pair.find(':');
  if (colon == std::string_view::npos)
    return complain(fmt::format("{} is no length with its probability", in_quotes(pair)));
  const Checked<double> length =
      to_number("a length", pair.substr(0, colon), {.least = 0, .most = limits.tokens_max});
  if (!length) return tl::unexpected(length.error());
  const Checked<double> part =
      to_number("a probability", pair.substr(colon + 1), {.least = 0, .most = 1 + kSumSlack});
  if (!part) return tl::unexpected(part.error());
  return std::pair(*length, *part);
}

// "{378: 0.25, 412: 0.75}". One without entries is empty.
Checked<LengthTable> read_table(std::string_view text, const ReadLimits& limits) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}')
    return complain(fmt::format("{} is no table like {{378: 0.25, 412: 0.75}}", in_quotes(text)));
  text = text.substr(1, text.size() - 2);
  LengthTable table;
  if (text.empty()) return table;
  while (!text.empty()) {
    const Checked<std::pair<double, double>> pair = take_pair(text, limits);
    if (!pair) return tl::unexpected(pair.error());
    table.add(pair->first, pair->second);
  }
  if (std::abs(table.sum() - 1) > kSumSlack)
    return complain(fmt::format("the probabilities add up to {} instead of 1", table.sum()));
  return table;
}

// Gathers the tables of a dataset as its members come.
class DatasetReader {
 public:
  explicit DatasetReader(const ReadLimits& limits) : limits_(limits) {}

  void take(const JsonMember& member) {
    if (complaint_) return;
    const bool is_context = member.name == "input_tokens";
    if (member.outer.empty() || (!is_context && member.name != "output_tokens")) return;
    const Checked<double> start =
        to_number("a window's start", member.outer, {.least = 0, .most = 1e9});
    const auto* text = std::get_if<std::string_view>(&member.value);
    const Checked<LengthTable> table =
        text == nullptr ? complain("no text with a table") : read_table(*text, limits_);
    if (!start || !table) {
      const Complaint& inner = start ? table.error() : start.error();
      complaint_ = Complaint{
          fmt::format("window {}, {}: {}", in_quotes(member.outer), member.name, inner.what),
          "Correct the table"};
      return;
    }
    Lengths& lengths = by_start_[Duration(to_ns(*start))];
    (is_context ? lengths.context : lengths.generated) = *table;
  }

  Checked<std::vector<Lengths>> finish() {
    if (complaint_) return tl::unexpected(*complaint_);
    std::vector<Lengths> all;
    for (auto& [from, lengths] : by_start_) {
      lengths.from = from;
      all.push_back(std::move(lengths));
    }
    return all;
  }

 private:
  const ReadLimits& limits_;
  std::map<Duration, Lengths> by_start_;
  std::optional<Complaint> complaint_;
};

Reading<std::vector<Lengths>> read_dataset(const ClientSource& source, const ReadLimits& limits) {
  DatasetReader reader(limits);
  const std::optional<JsonFailure> failure =
      walk_json(source.dataset, [&reader](const JsonMember& member) { reader.take(member); });
  if (failure) {
    const std::size_t before = std::min(failure->byte, source.dataset.size());
    const auto line =
        1 + std::count(source.dataset.begin(),
                       source.dataset.begin() + static_cast<std::ptrdiff_t>(before), '\n');
    return tl::unexpected(Refusal{source.dataset_name, static_cast<std::uint64_t>(line),
                                  failure->is_object ? "broken JSON" : "not a JSON object",
                                  "Correct the file, or fetch it anew"});
  }
  Checked<std::vector<Lengths>> all = reader.finish();
  if (all) return std::move(*all);
  return tl::unexpected(
      Refusal{source.dataset_name, 0, std::move(all.error().what), std::move(all.error().next)});
}

Reading<ClientSource> open_client(const std::string& folder, std::uint32_t number,
                                  const ReadLimits& limits) {
  ClientSource source{.number = number};
  source.trace_name = fmt::format("{}/{}{}{}", folder, kPrefix, number, kTraceSuffix);
  source.dataset_name = fmt::format("{}/{}{}{}", folder, kPrefix, number, kDatasetSuffix);
  Reading<ByteFile> file = open_byte_file(source.trace_name);
  if (!file) return tl::unexpected(file.error());
  source.trace = std::move(file->read);
  Result<std::string> dataset = os::read_file(source.dataset_name, Bytes{limits.dataset_bytes_max});
  if (!dataset) {
    return tl::unexpected(Refusal{source.dataset_name, 0, "cannot be read: " + dataset.error().what,
                                  "Each chunk-N-trace.csv needs its chunk-N-dataset.json"});
  }
  source.dataset = std::move(*dataset);
  return source;
}

// The numbers of the clients in the folder, ascending.
Reading<std::vector<std::uint32_t>> list_clients(const std::string& folder) {
  const Result<std::vector<std::string>> names = os::list_dir(folder);
  if (!names) {
    return tl::unexpected(
        Refusal{folder, 0, "cannot be listed: " + names.error().what, "Check the folder"});
  }
  std::vector<std::uint32_t> numbers;
  for (const std::string& name : *names) {
    if (!name.starts_with(kPrefix) || !name.ends_with(kTraceSuffix)) continue;
    const char* begin = name.data() + kPrefix.size();
    const char* end = name.data() + name.size() - kTraceSuffix.size();
    std::uint32_t number = 0;
    const auto [stop, error] = std::from_chars(begin, std::max(begin, end), number);
    // Digits only, and no leading zeros: the number alone gives the name back.
    if (error == std::errc() && stop == end &&
        fmt::format("{}", number).size() == static_cast<std::size_t>(end - begin))
      numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  if (!numbers.empty()) return numbers;
  return tl::unexpected(Refusal{folder, 0, "holds no chunk-N-trace.csv",
                                "Give a folder as ServeGen publishes them, or a file"});
}

Reading<std::vector<std::uint32_t>> choose_clients(const std::string& folder,
                                                   const ReadOptions& options) {
  Reading<std::vector<std::uint32_t>> there = list_clients(folder);
  if (!there || options.clients.empty()) return there;
  std::vector<std::uint32_t> wanted = options.clients;
  std::ranges::sort(wanted);
  const auto repeated = std::ranges::unique(wanted);
  wanted.erase(repeated.begin(), repeated.end());
  for (const std::uint32_t number : wanted) {
    if (std::ranges::binary_search(*there, number)) continue;
    return tl::unexpected(Refusal{folder, 0, fmt::format("holds no client {}", number),
                                  fmt::format("It holds {} clients, from {} to {}", there->size(),
                                              there->front(), there->back())});
  }
  return wanted;
}

}  // namespace

Reading<ClientModel> read_client(const ClientSource& source, const ReadLimits& limits) {
  Lines lines(source.trace_name, source.trace, limits.line_bytes_max);
  Reading<std::vector<Window>> windows = read_windows(lines, limits);
  if (!windows) return tl::unexpected(windows.error());
  Reading<std::vector<Lengths>> lengths = read_dataset(source, limits);
  if (!lengths) return tl::unexpected(lengths.error());
  ClientModel client{
      .number = source.number, .windows = std::move(*windows), .lengths = std::move(*lengths)};
  for (const Window& window : client.windows) {
    if (window.rate == 0) continue;
    const Lengths* held = lengths_at(client, window.from);
    if (held != nullptr && !held->context.is_empty() && !held->generated.is_empty()) continue;
    return tl::unexpected(Refusal{
        source.dataset_name, 0,
        fmt::format("no lengths for the window of {} s, in which requests come", window.from / 1s),
        "Add input_tokens and output_tokens for it"});
  }
  return client;
}

Reading<ReadTrace> draw_trace(const std::string& name, const std::vector<ClientModel>& clients,
                              const ReadOptions& options) {
  TraceBuilder trace(options);
  Checked<void> outcome;
  for (const ClientModel& client : clients) {
    const Checked<std::uint32_t> app = trace.app(fmt::format("client-{}", client.number));
    if (!app) return tl::unexpected(Refusal{name, 0, app.error().what, app.error().next});
    generate(client, options.seed, [&](const Drawn& drawn) {
      outcome = trace.add_tokens(drawn.at.count(), *app, drawn.context, drawn.generated);
      return outcome.has_value();
    });
    if (!outcome)
      return tl::unexpected(Refusal{name, 0, outcome.error().what, outcome.error().next});
  }
  Checked<ReadTrace> whole = trace.finish(Format::ServeGen, TraceBuilder::Origin::Zero);
  if (whole) return std::move(*whole);
  return tl::unexpected(Refusal{name, 0, whole.error().what, whole.error().next});
}

Reading<ReadTrace> read_servegen(const std::string& folder, const ReadOptions& options) {
  const Reading<std::vector<std::uint32_t>> numbers = choose_clients(folder, options);
  if (!numbers) return tl::unexpected(numbers.error());
  if (numbers->size() > options.limits.apps_max) {
    return tl::unexpected(
        Refusal{folder, 0, fmt::format("holds more than {} clients", options.limits.apps_max),
                "Choose some of them with --client N"});
  }
  std::vector<ClientModel> clients;
  for (const std::uint32_t number : *numbers) {
    const Reading<ClientSource> source = open_client(folder, number, options.limits);
    if (!source) return tl::unexpected(source.error());
    Reading<ClientModel> client = read_client(*source, options.limits);
    if (!client) return tl::unexpected(client.error());
    clients.push_back(std::move(*client));
    if (options.progress) options.progress(clients.size(), numbers->size());
  }
  return draw_trace(folder, clients, options);
}

}  // namespace kelvin::plan
