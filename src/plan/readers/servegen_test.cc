#include "plan/readers/servegen.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "os/files.h"
#include "plan/readers/test_bytes.h"

namespace kelvin::plan {
namespace {

constexpr std::string_view kTrace =
    "0,0,0,,0,0\n"
    "600,0.5,2,Gamma,0.25,8\n"
    "1200,0.5,1,Weibull,1,2\n";
constexpr std::string_view kDataset =
    R"({"0": {"input_tokens": "{}", "output_tokens": "{}"},
 "600": {"input_tokens": "{100: 0.25, 200: 0.75}", "output_tokens": "{10: 1.0}", "reason_ratio": "{0.5: 1}"}})";

Reading<ClientModel> client_of(std::string_view trace, std::string_view dataset) {
  return read_client({.number = 7,
                      .trace_name = "trace",
                      .dataset_name = "dataset",
                      .trace = bytes_of(trace),
                      .dataset = std::string(dataset)},
                     {});
}
std::string refusal_of(std::string_view trace, std::string_view dataset) {
  const auto client = client_of(trace, dataset);
  return client ? "read" : to_text(client.error());
}

TEST(ServeGen, ReadsWindowsAndTables) {
  const auto client = client_of(kTrace, kDataset);
  ASSERT_TRUE(client) << to_text(client.error());
  ASSERT_EQ(client->windows.size(), 3U);
  EXPECT_EQ(client->windows[0].rate, 0);
  EXPECT_EQ(client->windows[1].from, 600s);
  EXPECT_EQ(client->windows[1].to, 1200s);
  EXPECT_EQ(client->windows[1].shape, 0.25);
  EXPECT_EQ(client->windows[2].family, Family::Weibull);
  ASSERT_EQ(client->lengths.size(), 2U);
  EXPECT_TRUE(client->lengths[0].context.is_empty());
  EXPECT_DOUBLE_EQ(client->lengths[1].context.sum(), 1);
}

TEST(ServeGen, RefusesWindowsThatMakeNoSense) {
  EXPECT_EQ(refusal_of("", kDataset), "trace: no windows in it");
  EXPECT_EQ(refusal_of("0,1\n", kDataset), "trace:1: 2 columns instead of 6");
  EXPECT_EQ(refusal_of("0,-1,0,,0,0\n", kDataset), "trace:1: rate is -1, which is negative");
  EXPECT_EQ(refusal_of("0,1e9,0,,0,0\n", kDataset),
            "trace:1: rate is 1000000000; the most is 1000000");
  EXPECT_EQ(refusal_of("0,1,1,Pareto,1,1\n", kDataset),
            "trace:1: the family is 'Pareto' instead of Gamma or Weibull");
  EXPECT_EQ(refusal_of("0,1,1,Gamma,0,1\n", kDataset), "trace:1: shape is 0; the least is 0.005");
  EXPECT_EQ(refusal_of("600,0,0,,0,0\n0,0,0,,0,0\n", kDataset),
            "trace:2: the window begins less than 600 s after the one above it");
  EXPECT_EQ(refusal_of("40000000,0,0,,0,0\n", kDataset),
            "trace:1: the window lies beyond 400 days");
  EXPECT_EQ(refusal_of("0,1,1,Gamma,1,1\n", kDataset),
            "dataset: no lengths for the window of 0 s, in which requests come");
}

TEST(ServeGen, RefusesTablesThatMakeNoSense) {
  const auto dataset = [](const std::string& table) {
    return R"({"0": {"output_tokens": "{1: 1}", "input_tokens": )" + table + "}}";
  };
  const std::string place = "dataset: window '0', input_tokens: ";
  EXPECT_EQ(refusal_of(kTrace, "{\"0\":\n {\"x\": ]"), "dataset:2: broken JSON");
  EXPECT_EQ(refusal_of(kTrace, "[]"), "dataset:1: not a JSON object");
  EXPECT_EQ(refusal_of(kTrace, dataset("5")), place + "no text with a table");
  EXPECT_EQ(refusal_of(kTrace, dataset("\"1: 1\"")),
            place + "'1: 1' is no table like {378: 0.25, 412: 0.75}");
  EXPECT_EQ(refusal_of(kTrace, dataset("\"{1}\"")),
            place + "'1' is no length with its probability");
  EXPECT_EQ(refusal_of(kTrace, dataset("\"{-1: 1}\"")),
            place + "a length is -1, which is negative");
  EXPECT_EQ(refusal_of(kTrace, dataset("\"{1: 0.5, 2: 0.4}\"")),
            place + "the probabilities add up to 0.9 instead of 1");
  EXPECT_EQ(refusal_of(kTrace, dataset("\"{1: nan}\"")),
            place + "a probability is not a finite number");
  EXPECT_EQ(refusal_of(kTrace, R"({"soon": {"input_tokens": "{1: 1}"}})"),
            "dataset: window 'soon', input_tokens: a window's start is 'soon', which is no number");
}

TEST(ServeGen, DrawsTheChosenClientsOfAFolder) {
  const auto folder = os::TempDir::create("kelvin-servegen");
  ASSERT_TRUE(folder);
  for (const std::string number : {"3", "12"}) {
    ASSERT_TRUE(os::write_file_atomic(folder->path() + "/chunk-" + number + "-trace.csv", kTrace));
    ASSERT_TRUE(
        os::write_file_atomic(folder->path() + "/chunk-" + number + "-dataset.json", kDataset));
  }
  const auto both = read_trace(folder->path(), {});
  ASSERT_TRUE(both) << to_text(both.error());
  EXPECT_EQ(both->format, Format::ServeGen);
  EXPECT_EQ(both->trace.apps, (std::vector<std::string>{"client-3", "client-12"}));
  EXPECT_GE(both->trace.arrivals.front().at, 600s);
  EXPECT_TRUE(std::ranges::is_sorted(both->trace.arrivals, {}, &Arrival::at));
  // One client's requests are the same whoever else is there.
  const auto one = read_trace(folder->path(), {.clients = {12, 12}});
  ASSERT_TRUE(one) << to_text(one.error());
  std::vector<Duration> alone;
  std::vector<Duration> among_others;
  for (const Arrival& arrival : one->trace.arrivals) alone.push_back(arrival.at);
  for (const Arrival& arrival : both->trace.arrivals) {
    if (arrival.app == 1) among_others.push_back(arrival.at);
  }
  EXPECT_EQ(alone, among_others);
  const auto none = read_trace(folder->path(), {.clients = {4}});
  ASSERT_FALSE(none);
  EXPECT_EQ(to_text(none.error()), folder->path() + ": holds no client 4");
  EXPECT_EQ(none.error().next, "It holds 2 clients, from 3 to 12");
  const auto many = read_trace(folder->path(), {.limits = {.requests_max = 10}});
  ASSERT_FALSE(many);
  EXPECT_EQ(to_text(many.error()), folder->path() + ": more than 10 requests");
}

}  // namespace
}  // namespace kelvin::plan
