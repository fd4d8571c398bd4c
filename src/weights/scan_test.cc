#include "weights/scan.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "os/files.h"
#include "os/hash.h"

namespace kelvin::weights {
namespace {

namespace fs = std::filesystem;

class Scan : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(at(path)).parent_path());
    std::ofstream(at(path), std::ios::binary) << text;
  }
  std::string at(const std::string& path) const { return dir_.path() + "/" + path; }

  static std::vector<std::string> paths(const ScannedFolder& folder) {
    std::vector<std::string> all;
    for (const ScannedFile& f : folder.files) all.push_back(f.file.path);
    return all;
  }

  os::TempDir dir_ = os::TempDir::create("kelvin-scan").value();
};
using Paths = std::vector<std::string>;

TEST_F(Scan, FindsFilesWithHashSizeAndMode) {
  put("app/kelvin.yaml", "name: a\n");
  put("app/lib/x.py", "x");
  put("app/run.sh", "#!/bin/sh\n");
  ::chmod(at("app/run.sh").c_str(), 0755);
  const auto folder = scan_folder({.folder = at("app/")});
  ASSERT_TRUE(folder.has_value()) << folder.error().what;
  EXPECT_EQ(paths(*folder), (Paths{"kelvin.yaml", "lib/x.py", "run.sh"}));
  EXPECT_EQ(folder->files[1].file.sha256, os::sha256_hex("x"));
  EXPECT_EQ(folder->files[1].file.size, Bytes{1});
  EXPECT_FALSE(folder->files[1].file.is_executable);
  EXPECT_TRUE(folder->files[2].file.is_executable);
  EXPECT_EQ(folder->files[2].source, at("app/run.sh"));
}

TEST_F(Scan, FollowsLinksToFilesAndNamesWhatItLeavesOut) {
  put("outside.txt", "outside");
  put("app/inside.txt", "inside");
  put("app/.git/config", "secret");
  put("elsewhere/x", "x");
  fs::create_symlink("inside.txt", at("app/a"));
  fs::create_symlink("../outside.txt", at("app/b"));
  fs::create_symlink("../elsewhere", at("app/c"));
  fs::create_symlink("nowhere", at("app/d"));
  fs::create_symlink(".", at("app/e"));
  ASSERT_EQ(::mkfifo(at("app/f").c_str(), 0600), 0);
  put("app/g\ng", "x");
  const auto folder = scan_folder({.folder = at("app")});
  ASSERT_TRUE(folder.has_value()) << folder.error().what;
  EXPECT_EQ(paths(*folder), (Paths{"a", "b", "inside.txt"}));
  EXPECT_EQ(folder->files[1].file.sha256, os::sha256_hex("outside"));
  EXPECT_EQ(folder->skipped, (Paths{"c: a link to something that is no file", "d: a broken link",
                                    "e: a link to something that is no file", "f: no regular file",
                                    "g\ng: a name that Kelvin cannot store"}));
}

TEST_F(Scan, LeavesTheModelOutOfTheFolder) {
  put("app/m.gguf", "weights");
  put("app/x", "x");
  put("app/models/part1", "weights");
  EXPECT_EQ(paths(*scan_folder({.folder = at("app"), .model = at("app/./m.gguf")})),
            (Paths{"models/part1", "x"}));
  EXPECT_EQ(paths(*scan_folder({.folder = at("app"), .model = at("app/models/")})),
            (Paths{"m.gguf", "x"}));
  fs::rename(at("app/m.gguf"), at("m.gguf"));
  fs::create_symlink("../m.gguf", at("app/link.gguf"));
  EXPECT_EQ(paths(*scan_folder({.folder = at("app"), .model = at("m.gguf")})),
            (Paths{"models/part1", "x"}));
}

TEST_F(Scan, RefusesTooMuchWithAdvice) {
  put("app/a", "0123456789");
  put("app/b", "0123456789");
  put("app/deep/er/x", "");
  const auto many = scan_folder({.folder = at("app"), .limits = {.files_max = 2}});
  ASSERT_FALSE(many.has_value());
  EXPECT_EQ(many.error().what,
            "folder '" + at("app") +
                "' holds more than 2 files; put the app file into a folder of its own, with "
                "nothing beside it but what the app needs");
  const auto large = scan_folder({.folder = at("app"), .limits = {.bytes_max = Bytes{19}}});
  ASSERT_FALSE(large.has_value());
  EXPECT_NE(large.error().what.find("holds more than 0 MiB without the model"), std::string::npos);
  const auto deep = scan_folder({.folder = at("app"), .limits = {.depth_max = 2}});
  ASSERT_FALSE(deep.has_value());
  EXPECT_EQ(deep.error().code, Code::Invalid);
}

TEST_F(Scan, TellsHowFarItIs) {
  put("app/a", std::string(3 << 20, 'a'));
  put("app/b", "b");
  std::vector<std::uint64_t> seen;
  Bytes last_total;
  const auto progress = [&](Bytes hashed, Bytes total) {
    seen.push_back(hashed.count);
    last_total = total;
  };
  ASSERT_TRUE(scan_folder({.folder = at("app"), .progress = progress}).has_value());
  EXPECT_EQ(last_total, Bytes{(3 << 20) + 1});
  EXPECT_GE(seen.size(), 4U);
  EXPECT_EQ(seen.back(), last_total.count);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST_F(Scan, SaysThatTheFolderIsMissing) {
  EXPECT_EQ(scan_folder({.folder = at("nowhere")}).error().code, Code::NotFound);
}

TEST_F(Scan, FindsAModelThatIsAFile) {
  put("m.gguf", "weights");
  const auto model = scan_model(at("m.gguf"), {});
  ASSERT_TRUE(model.has_value()) << model.error().what;
  EXPECT_EQ(model->name, "m.gguf");
  EXPECT_FALSE(model->is_folder);
  ASSERT_EQ(model->files.size(), 1U);
  EXPECT_EQ(model->files[0].file.path, "");
  EXPECT_EQ(model->files[0].file.sha256, os::sha256_hex("weights"));
}

TEST_F(Scan, FindsAModelThatIsAFolder) {
  put("llama/config.json", "{}");
  put("llama/w/1", "1");
  ::chmod(at("llama/w/1").c_str(), 0777);
  const auto model = scan_model(at("llama/"), {});
  ASSERT_TRUE(model.has_value()) << model.error().what;
  EXPECT_EQ(model->name, "llama");
  EXPECT_TRUE(model->is_folder);
  ASSERT_EQ(model->files.size(), 2U);
  EXPECT_EQ(model->files[1].file.path, "w/1");
  EXPECT_FALSE(model->files[1].file.is_executable);
  EXPECT_EQ(scan_model(at("llama/w/.."), {}).value().name, "llama");
}

TEST_F(Scan, SaysWhatIsWrongWithAModel) {
  EXPECT_EQ(scan_model(at("m.gguf"), {}).error().what,
            "there is no file or folder '" + at("m.gguf") + "'");
  EXPECT_EQ(scan_model(at("m.gguf"), {}).error().code, Code::NotFound);
  fs::create_directory(at("empty"));
  EXPECT_EQ(scan_model(at("empty"), {}).error().code, Code::Invalid);
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_EQ(scan_model(at("pipe"), {}).error().code, Code::Invalid);
}

}  // namespace
}  // namespace kelvin::weights
