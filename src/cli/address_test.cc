#include "cli/address.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "os/files.h"

namespace kelvin::cli {
namespace {

// A data folder and an environment of one's own.
class AddressTest : public ::testing::Test {
 protected:
  const os::TempDir made_ = os::TempDir::create("kelvin-address").value();
  const std::string& data_ = made_.path();

  AddressTest() { variables_ = {{"HOME", "/users/ada"}, {"KELVIN_DATA", data_}}; }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(data_ + "/" + name) << text;
  }

  std::map<std::string, std::string> variables_;
  Variables look_up_ = [this](const std::string& name) {
    const auto it = variables_.find(name);
    return it == variables_.end() ? std::nullopt : std::optional(it->second);
  };
  Seeker seeker_{look_up_};
};

TEST_F(AddressTest, TheFlagWinsOverTheVariableOverTheFolderOverTheDefault) {
  EXPECT_EQ(find_server({}, seeker_).url, kDefaultServer);
  write("serve.json", R"({"pid":1,"listen":"127.0.0.1:4001"})");
  EXPECT_EQ(find_server({}, seeker_).url, "http://127.0.0.1:4001");
  variables_["KELVIN_SERVER"] = "http://127.0.0.1:4002/";
  EXPECT_EQ(find_server({}, seeker_).url, "http://127.0.0.1:4002");
  EXPECT_EQ(find_server({.server = "gpu-box:4003"}, seeker_).url, "http://gpu-box:4003");
}

TEST_F(AddressTest, SaysWhatWasLookedAt) {
  const ServerAddress server = find_server({}, seeker_);
  const std::vector<std::string> expected = {"KELVIN_SERVER is not set",
                                             data_ + "/serve.json: No such file or directory",
                                             "the address is the default"};
  EXPECT_EQ(server.tried, expected);
}

TEST_F(AddressTest, TheDataFolderIsFlagThenVariableThenTheUsersOwn) {
  EXPECT_EQ(find_data_folder({.data = "/x"}, seeker_), "/x");
  EXPECT_EQ(find_data_folder({}, seeker_), data_);
  variables_.erase("KELVIN_DATA");
  EXPECT_EQ(find_data_folder({}, seeker_), "/users/ada/.local/share/kelvin");
  EXPECT_EQ(find_data_folder({}, {look_up_, true}), "/var/lib/kelvin");
}

TEST_F(AddressTest, AWildcardIsReachedOnThisMachine) {
  EXPECT_EQ(url_of("0.0.0.0:27315"), "http://127.0.0.1:27315");
  EXPECT_EQ(url_of("[::]:27315"), "http://[::1]:27315");
  EXPECT_EQ(url_of(":27315"), "http://127.0.0.1:27315");
  EXPECT_EQ(url_of("https://kelvin.example.com/"), "https://kelvin.example.com");
}

TEST_F(AddressTest, LoopbackIsKnownByHost) {
  for (const char* here :
       {"http://127.0.0.1:1", "http://localhost", "http://a.localhost:2/x", "https://[::1]:3"}) {
    EXPECT_TRUE(is_loopback_url(here)) << here;
  }
  for (const char* there : {"http://10.0.0.1:1", "http://127.evil.example",
                            "http://localhost.example", "", "http://[::2]"}) {
    EXPECT_FALSE(is_loopback_url(there)) << there;
  }
}

TEST_F(AddressTest, TheKeyIsTheVariableElseTheFolders) {
  write("admin-token", "kv_folder\n");
  EXPECT_EQ(find_token({}, seeker_, find_server({}, seeker_)).text, "kv_folder");
  variables_["KELVIN_TOKEN"] = "kv_variable";
  EXPECT_EQ(find_token({}, seeker_, find_server({}, seeker_)).text, "kv_variable");
}

TEST_F(AddressTest, TheFoldersKeyIsNotSentToOtherMachines) {
  write("admin-token", "kv_folder\n");
  const ServerAddress elsewhere = find_server({.server = "http://evil.example:27315"}, seeker_);
  const Token token = find_token({}, seeker_, elsewhere);
  EXPECT_EQ(token.text, "");
  EXPECT_EQ(
      token.tried.back(),
      data_ +
          "/admin-token is for this machine only and was not sent to http://evil.example:27315");
  // Where the folder's own server listens is this machine, whatever its address.
  write("serve.json", R"({"listen":"10.0.0.5:27315"})");
  EXPECT_EQ(find_token({}, seeker_, find_server({}, seeker_)).text, "kv_folder");
}

TEST_F(AddressTest, SaysWhereItLookedForAKey) {
  const Token token = find_token({}, seeker_, find_server({}, seeker_));
  const std::vector<std::string> expected = {"KELVIN_TOKEN is not set",
                                             data_ + "/admin-token: No such file or directory"};
  EXPECT_EQ(token.text, "");
  EXPECT_EQ(token.tried, expected);
}

}  // namespace
}  // namespace kelvin::cli
