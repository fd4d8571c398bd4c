#include "cluster/local/local_content.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "os/files.h"
#include "os/hash.h"

namespace kelvin::cluster::local {
namespace {

namespace fs = std::filesystem;

class Programs : public testing::Test {
 protected:
  Programs() {
    fs::create_directories(at("data"));
    content_ = LocalContent::open(
                   {.data = at("data"), .search_path = at("bin") + ":relative::" + at("sbin")})
                   .value();
  }
  std::string at(const std::string& path) const { return dir_.path() + "/" + path; }
  void put(const std::string& path, mode_t mode) {
    fs::create_directories(fs::path(at(path)).parent_path());
    std::ofstream(at(path)) << "#!/bin/sh\n";
    ::chmod(at(path).c_str(), mode);
  }
  std::string found(const std::string& name) {
    return content_->find_program(name, at("app")).value_or("(nothing)");
  }
  std::string refusal(const std::string& name) {
    const auto program = content_->find_program(name, at("app"));
    if (program) return "found " + *program;
    EXPECT_EQ(program.error().code, Code::Invalid);
    EXPECT_EQ(program.error().blame, Blame::Client);
    return program.error().what;
  }

  os::TempDir dir_ = os::TempDir::create("kelvin-local").value();
  std::unique_ptr<LocalContent> content_;
};

TEST_F(Programs, AreFoundInThePathInItsOrder) {
  put("sbin/serve", 0755);
  EXPECT_EQ(found("serve"), at("sbin/serve"));
  put("bin/serve", 0644);
  EXPECT_EQ(found("serve"), at("sbin/serve")) << "one that cannot run is passed over";
  put("bin/serve", 0755);
  EXPECT_EQ(found("serve"), at("bin/serve"));
}

TEST_F(Programs, AreFoundByAbsolutePath) {
  put("opt/serve", 0755);
  EXPECT_EQ(found(at("opt/serve")), at("opt/serve"));
}

TEST_F(Programs, AreFoundInTheFolder) {
  put("app/run", 0755);
  put("app/bin/run", 0755);
  EXPECT_EQ(found("./run"), at("app/run"));
  EXPECT_EQ(found("bin/run"), at("app/bin/run"));
  EXPECT_EQ(found(".//bin/./run"), at("app/bin/run"));
}

TEST_F(Programs, AreNotFoundOutsideTheFolder) {
  put("outside", 0755);
  put("app/bin/run", 0755);
  fs::create_symlink("../outside", at("app/link"));
  fs::create_symlink("..", at("app/up"));
  EXPECT_NE(refusal("../outside").find("leads out of the app's folder"), std::string::npos);
  EXPECT_NE(refusal("bin/../../outside").find("leads out of the app's folder"), std::string::npos);
  EXPECT_NE(refusal("./link").find("there is no program './link'"), std::string::npos);
  EXPECT_NE(refusal("up/outside").find("there is no program 'up/outside'"), std::string::npos);
}

TEST_F(Programs, ThatAreMissingAreRefusedWithWhatToDo) {
  const std::string searched = at("bin") + ":" + at("sbin");
  EXPECT_EQ(refusal("llama-server"), "no program 'llama-server' was found in the server's PATH (" +
                                         searched +
                                         "); install it on the server, write its absolute path, or "
                                         "bring it in the app's folder and write "
                                         "./llama-server");
  EXPECT_EQ(refusal("./run"),
            "there is no program './run' in the app's folder; check the name (paths are relative "
            "to the app file), or "
            "install it on the server and write its absolute path");
  EXPECT_EQ(refusal("/nowhere/run"),
            "there is no program '/nowhere/run' on the server; an absolute path in command means "
            "the server's disk. "
            "Install it there, or bring it in the app's folder and write ./NAME");
  put("app/run", 0755);
  EXPECT_EQ(refusal("run"), "no program 'run' was found in the server's PATH (" + searched +
                                "); the app's folder holds one: write command: [./run, ...]");
}

TEST_F(Programs, ThatCannotRunAreNamed) {
  put("app/server.py", 0644);
  put("opt/serve", 0644);
  put("bin/serve", 0644);
  fs::create_directories(at("app/lib"));
  EXPECT_EQ(refusal("./server.py"),
            "the program './server.py' in the app's folder is not executable; run chmod +x "
            "'./server.py' and deploy "
            "again, or name its interpreter first: command: [python3, ./server.py]");
  EXPECT_NE(refusal("server.py").find("write command: [python3, server.py]"), std::string::npos);
  EXPECT_NE(refusal(at("opt/serve")).find("exists on the server but is not executable"),
            std::string::npos);
  EXPECT_NE(refusal("serve").find("'" + at("bin/serve") + "' is there but not executable"),
            std::string::npos);
  EXPECT_NE(refusal("./lib").find("is a folder"), std::string::npos);
  EXPECT_NE(refusal(at("app")).find("is a folder"), std::string::npos);
  EXPECT_NE(refusal("/dev/null").find("is no regular file"), std::string::npos);
  EXPECT_EQ(refusal(""), "the program's name is empty");
}

TEST(LocalContent, KeepsAndPlacesWhatItIsGiven) {
  const auto dir = os::TempDir::create("kelvin-local").value();
  const auto content = LocalContent::open({.data = dir.path(), .limits = {.grace = 0s}}).value();
  const std::string text = "#!/bin/sh\n";
  const std::string sha256 = os::sha256_hex(text);
  const ports::ContentTree tree{.folder = {{.path = "run",
                                            .is_executable = true,
                                            .sha256 = sha256,
                                            .size = Bytes{text.size()}}},
                                .model_name = "m.gguf",
                                .model = {{.sha256 = sha256, .size = Bytes{text.size()}}}};
  EXPECT_EQ(content->place(tree).error().code, Code::NotFound);
  {
    auto writer = content->begin(sha256, Bytes{text.size()});
    ASSERT_TRUE(writer.has_value()) << writer.error().what;
    ASSERT_TRUE((*writer)->write(std::as_bytes(std::span(text))).has_value());
    ASSERT_TRUE((*writer)->commit().has_value());
  }
  EXPECT_TRUE(content->has(sha256));
  const auto placed = content->place(tree);
  ASSERT_TRUE(placed.has_value()) << placed.error().what;
  EXPECT_EQ(content->find_program("./run", placed->folder).value_or(""), placed->folder + "/run");
  EXPECT_TRUE(placed->model_path.ends_with("/model/m.gguf"));
  ASSERT_TRUE(content->collect({placed->folder}).has_value());
  EXPECT_TRUE(fs::exists(placed->model_path));
  ASSERT_TRUE(content->collect({}).has_value());
  EXPECT_FALSE(fs::exists(placed->model_path));
}

}  // namespace
}  // namespace kelvin::cluster::local
