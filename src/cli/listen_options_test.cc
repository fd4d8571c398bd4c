// Tests of where serve listens: which words mean TLS, and what is refused.
#include "cli/listen_options.h"

#include <gtest/gtest.h>

namespace kelvin::cli {
namespace {

std::vector<ListenAddress> planned(const ListenWanted& wanted) {
  const auto plan = plan_listening(wanted);
  EXPECT_TRUE(plan) << plan.error().what << ": " << plan.error().why;
  return plan ? plan->addresses : std::vector<ListenAddress>();
}

std::string complaint(const ListenWanted& wanted) {
  const auto plan = plan_listening(wanted);
  if (plan) return "";
  EXPECT_EQ(plan.error().exit, ExitCode::Usage);
  EXPECT_FALSE(plan.error().next.empty());
  return plan.error().what + ": " + plan.error().why;
}

using Addresses = std::vector<ListenAddress>;

TEST(ListenOptions, SayByTheSchemeWhatIsSpoken) {
  EXPECT_EQ(planned({}), (Addresses{{"127.0.0.1:27315", false}}));
  EXPECT_EQ(planned({.addresses = {"http://[::1]:80/", "https://0.0.0.0:443"},
                     .certificates = {"a.pem"},
                     .keys = {"a.key"}}),
            (Addresses{{"[::1]:80", false}, {"0.0.0.0:443", true}}));
  EXPECT_EQ(planned({.addresses = {"127.0.0.1:1,localhost:2"}}),
            (Addresses{{"127.0.0.1:1", false}, {"localhost:2", false}}))
      << "as KELVIN_LISTEN writes several";
  EXPECT_EQ(url_of({"0.0.0.0:443", true}), "https://0.0.0.0:443");
  EXPECT_EQ(url_of({"[::1]:80", false}), "http://[::1]:80");
}

TEST(ListenOptions, RefusePlainTextBeyondThisMachineUnlessAsked) {
  for (const char* address : {"0.0.0.0:80", "[::]:80", "192.0.2.1:80", "http://0.0.0.0:80"}) {
    const auto plan = plan_listening({.addresses = {"127.0.0.1:1", address}});
    ASSERT_FALSE(plan) << address;
    EXPECT_NE(plan.error().what.find("without TLS"), std::string::npos);
    EXPECT_NE(plan.error().next.find("--insecure-listen"), std::string::npos);
    EXPECT_EQ(planned({.addresses = {address}, .allows_plain_text = true}).size(), 1u);
  }
  EXPECT_EQ(complaint({.addresses = {"0.0.0.0:443"}, .certificates = {"a"}, .keys = {"b"}}),
            "refusing to listen on 0.0.0.0:443 without TLS: requests, replies and keys would cross "
            "the network in plain text")
      << "a certificate alone does not make an address speak TLS";
}

TEST(ListenOptions, AskForKeysWhereOthersCanComeInUnlessToldNotTo) {
  const auto needs_keys = [](std::vector<std::string> addresses, bool opens_apps) {
    return plan_listening({.addresses = std::move(addresses),
                           .allows_plain_text = true,
                           .opens_apps = opens_apps})
        ->needs_keys;
  };
  EXPECT_FALSE(needs_keys({}, false));
  EXPECT_FALSE(needs_keys({"127.0.0.1:1", "[::1]:1"}, false));
  EXPECT_TRUE(needs_keys({"127.0.0.1:1", "0.0.0.0:2"}, false)) << "one door is enough";
  EXPECT_FALSE(needs_keys({"127.0.0.1:1", "0.0.0.0:2"}, true));
}

TEST(ListenOptions, RefuseWhatDoesNotGoTogether) {
  EXPECT_EQ(complaint({.addresses = {"https://127.0.0.1:443"}}),
            "--listen https://127.0.0.1:443 needs a certificate: ");
  EXPECT_EQ(complaint({.certificates = {"a"}, .keys = {"b"}}),
            "--tls-cert is of no use: no --listen says https://");
  EXPECT_EQ(
      complaint(
          {.addresses = {"https://127.0.0.1:443"}, .certificates = {"a", "b"}, .keys = {"c"}}),
      "each --tls-cert needs its --tls-key: found 2 and 1");
  EXPECT_EQ(complaint({.addresses = {"127.0.0.1:1", "https://127.0.0.1:1"},
                       .certificates = {"a"},
                       .keys = {"b"}}),
            "--listen names 127.0.0.1:1 twice: ");
  for (const char* bad : {"", "ftp://127.0.0.1:1", "https://", "127.0.0.1:1/path", "127.0.0.1:1,"})
    EXPECT_NE(complaint({.addresses = {bad}}).find("expected HOST:PORT"), std::string::npos) << bad;
}

}  // namespace
}  // namespace kelvin::cli
