// Every row of cases/*.txt: bytes that somebody might send, and what is made of them.
//
// A row is a verdict, one space, and bytes in which \e is CR LF, \r \n \t \0 \\ and \xHH are what they are
// in C, and {H} is a Host field. A line "@before TEXT" or "@after TEXT" puts the text around the bytes of
// the rows below it. Empty lines and lines that begin with # say nothing. tests/compat sends the same
// rows to a whole platform and to other servers.
//
// The verdict of a head is how its body ends (none, len=N, chunked, until-close), then +close where the
// connection ends with it and +upgrade where it asks for another protocol; or "more"; or the status of its
// refusal. That of a chunked body is its payload in quotes, "more" or "refused".
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "http/message.h"

namespace kelvin::http {
namespace {

std::string unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("{H}")) {
      bytes += "Host: a.test\r\n";
      i += 2;
      continue;
    }
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    const char kind = text.at(++i);
    if (kind == 'x') {
      bytes += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      constexpr std::string_view kinds = "rnt0\\";
      constexpr std::string_view meant("\r\n\t\0\\", 5);
      bytes += kind == 'e' ? "\r\n" : std::string(1, meant.at(kinds.find(kind)));
    }
  }
  return bytes;
}

struct Row {
  std::string where;
  std::string verdict;
  std::string bytes;
};

std::vector<Row> rows_of(const std::string& name) {
  std::ifstream file(std::string(KELVIN_HTTP_CASES "/") + name + ".txt", std::ios::binary);
  std::vector<Row> rows;
  std::string before;
  std::string after;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.find(' ', line.front() == '"' ? line.find('"', 1) : 0);
    const std::string first = line.substr(0, space);
    const std::string rest = line.substr(space + 1);
    if (first == "@before") {
      before = rest;
    } else if (first == "@after") {
      after = rest;
    } else {
      rows.push_back({name + ".txt:" + std::to_string(number) + ": " + rest, first,
                      unescape(before + rest + after)});
    }
  }
  EXPECT_GT(rows.size(), 70u) << name;
  return rows;
}

std::string form_of(Framing framing, const Head& head) {
  std::string form;
  switch (framing) {
    case Framing::None:
      form = "none";
      break;
    case Framing::Length:
      form = "len=" + std::to_string(head.content_length.value_or(0));
      break;
    case Framing::Chunked:
      form = "chunked";
      break;
    case Framing::UntilClose:
      form = "until-close";
      break;
  }
  if (!head.keeps_alive) form += "+close";
  if (head.upgrades) form += "+upgrade";
  return form;
}

std::string verdict_of(const Outcome& outcome, const std::string& form) {
  switch (outcome.parsed) {
    case Parsed::NeedMore:
      return "more";
    case Parsed::Refused:
      return std::to_string(outcome.status);
    case Parsed::Done:
      return form;
  }
  return {};
}

class RequestCases : public testing::TestWithParam<const char*> {};
TEST_P(RequestCases, AreReadAsTheTableSays) {
  for (const Row& row : rows_of(GetParam())) {
    RequestHead head;
    const Outcome outcome = parse_request(row.bytes, {}, head);
    EXPECT_EQ(verdict_of(outcome, form_of(framing_of(head), head)), row.verdict)
        << row.where << "\n"
        << outcome.why;
    EXPECT_EQ(outcome.why.empty(), outcome.parsed != Parsed::Refused) << row.where;
  }
}
INSTANTIATE_TEST_SUITE_P(Http, RequestCases, testing::Values("request_line", "length", "fields"),
                         [](const auto& of) { return std::string(of.param); });

TEST(ReplyCases, AreReadAsTheTableSays) {
  for (const Row& row : rows_of("replies")) {
    ResponseHead head;
    const Outcome outcome = parse_response(row.bytes, {}, head);
    EXPECT_EQ(verdict_of(outcome, form_of(framing_of(head, "GET"), head)), row.verdict)
        << row.where << "\n"
        << outcome.why;
  }
}

std::string read_body(std::string_view bytes, std::size_t piece) {
  ChunkReader reader;
  std::string payload;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto step = reader.feed(bytes.substr(at, piece));
    if (step.parsed == Parsed::Refused) return "refused";
    payload += step.payload;
    at += step.consumed;
    if (step.parsed == Parsed::Done) return at == bytes.size() ? "\"" + payload + "\"" : "early";
  }
  return "more";
}

TEST(ChunkCases, AreReadAsTheTableSays) {
  for (const Row& row : rows_of("chunks")) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{4096}})
      EXPECT_EQ(read_body(row.bytes, piece), unescape(row.verdict)) << row.where << " by " << piece;
  }
}

}  // namespace
}  // namespace kelvin::http
