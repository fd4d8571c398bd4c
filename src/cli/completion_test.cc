#include "cli/completion.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/golden_file.h"
#include "os/files.h"

namespace kelvin::cli {
namespace {

std::string script_for(const std::string& shell) {
  Cli cli;
  add_client_verbs(cli);
  return completion_script(cli, shell).value_or("");
}

// A folder with the script and a `kelvin` that knows two apps.
class CompletionTest : public ::testing::Test {
 protected:
  const os::TempDir made_ = os::TempDir::create("kelvin-completion").value();
  const std::string& folder_ = made_.path();

  CompletionTest() {
    std::ofstream(folder_ + "/kelvin") << "#!/bin/sh\nprintf 'gemma\\nwhisper\\n'\n";
    std::filesystem::permissions(folder_ + "/kelvin", std::filesystem::perms::owner_all);
  }

  std::string write_script(const std::string& shell) {
    const std::string path = folder_ + "/completion." + shell;
    std::ofstream(path) << script_for(shell);
    return path;
  }

  // What bash offers for the last word.
  std::string complete(const std::vector<std::string>& words) {
    std::string list;
    for (const std::string& word : words) list += " '" + word + "'";
    const std::string program =
        "PATH=" + folder_ + ":$PATH; source " + write_script("bash") + "; COMP_WORDS=(" + list +
        "); COMP_CWORD=" + std::to_string(words.size() - 1) + "; _kelvin; echo \"${COMPREPLY[@]}\"";
    std::ofstream(folder_ + "/try.sh") << program;
    std::FILE* pipe = ::popen(("bash --norc " + folder_ + "/try.sh 2>&1").c_str(), "r");
    std::string out;
    std::array<char, 4096> piece{};
    while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) out += piece.data();
    ::pclose(pipe);
    if (out.ends_with('\n')) out.pop_back();
    return out;
  }
};

TEST_F(CompletionTest, ScriptsAreGoodSyntax) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const std::string path = write_script(shell);
    if (std::system(("command -v " + shell + " >/dev/null").c_str()) != 0) continue;
    EXPECT_EQ(std::system((shell + " -n " + path).c_str()), 0) << shell;
  }
}

TEST_F(CompletionTest, OffersVerbs) {
  EXPECT_EQ(complete({"kelvin", "de"}), "deploy describe delete");
  EXPECT_EQ(complete({"kelvin", "keys", ""}), "create ls rm");
  EXPECT_EQ(complete({"kelvin", "completion", "z"}), "zsh");
  EXPECT_EQ(complete({"kelvin", "nonsense", ""}), "");
}

TEST_F(CompletionTest, OffersOptionsOfTheVerb) {
  EXPECT_EQ(complete({"kelvin", "logs", "gemma", "--f"}), "--follow");
  EXPECT_EQ(complete({"kelvin", "keys", "create", "--sc"}), "--scope");
  EXPECT_EQ(complete({"kelvin", "version", "--"}), "--json --help");
}

TEST_F(CompletionTest, OffersNamesOfApps) {
  EXPECT_EQ(complete({"kelvin", "describe", ""}), "gemma whisper");
  EXPECT_EQ(complete({"kelvin", "call", "ge"}), "gemma");
  EXPECT_EQ(complete({"kelvin", "describe", "gemma", ""}), "");
}

TEST_F(CompletionTest, OffersFilesWhereAnOptionWantsOne) {
  EXPECT_EQ(complete({"kelvin", "plan", "--trace", folder_ + "/kel"}), folder_ + "/kelvin");
}

TEST(Completion, LooksAsItDid) {
  expect_golden("completion.txt", script_for("bash") + script_for("zsh") + script_for("fish"));
}

TEST(Completion, OfAnUnknownShellIsNone) {
  Cli cli;
  EXPECT_EQ(completion_script(cli, "csh"), std::nullopt);
}

}  // namespace
}  // namespace kelvin::cli
