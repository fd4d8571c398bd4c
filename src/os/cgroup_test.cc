#include "os/cgroup.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "os/files.h"

namespace kelvin::os {
namespace {

// A made-up machine: folders stand for mounts, files for what the kernel would show.
class FakeCgroups : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return folder_.path() + "/" + name; }
  void put(const std::string& name, const std::string& text) {
    const std::string path = at(name);
    ASSERT_TRUE(make_dirs(path.substr(0, path.rfind('/'))));
    ASSERT_TRUE(write_file_atomic(path, text, {.durability = Durability::Process}));
  }
  std::string text(const std::string& name) const {
    return read_file(at(name)).value_or("(absent)");
  }
  void mount_v2(const std::string& below) {
    mounts_ += "30 24 0:27 / " + at(below) + " rw - cgroup2 cgroup2 rw\n";
  }
  void mount_v1(const std::string& controller) {
    mounts_ +=
        "31 24 0:28 / " + at(controller) + " rw shared:9 - cgroup cgroup rw," + controller + "\n";
    ASSERT_TRUE(make_dirs(at(controller)));
  }
  CgroupParent prepare(const std::string& self) {
    put("mountinfo", mounts_);
    put("self", self);
    return CgroupParent::prepare({.mountinfo = at("mountinfo"), .self = at("self")}, "d1");
  }

  TempDir folder_ = *TempDir::create("kelvin-cgroup");
  std::string mounts_ = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n";
};

TEST_F(FakeCgroups, UsesV2ForEverythingWhereItHasTheControllers) {
  mount_v2("cg");
  put("cg/cgroup.controllers", "cpu memory pids\n");
  for (const std::string folder : {"cg", "cg/kelvin", "cg/kelvin/d1"})
    put(folder + "/cgroup.subtree_control", "");
  put("cg/kelvin/d1/cgroup.freeze", "0");
  put("cg/kelvin/d1/cpu.stat", "usage_usec 0\n");
  const CgroupParent parent = prepare("0::/\n");
  EXPECT_EQ(parent.base(), (CgroupPaths{.unified = at("cg/kelvin/d1")}));
  EXPECT_TRUE(parent.missing().empty()) << parent.missing().front();
}

TEST_F(FakeCgroups, MixesV1LimitsWithAV2Freezer) {
  mount_v2("unified");
  mount_v1("memory");
  mount_v1("pids");
  mount_v1("freezer");
  put("unified/cgroup.controllers", "\n");
  put("unified/kelvin/d1/cgroup.freeze", "0");
  put("unified/kelvin/d1/cpu.stat", "usage_usec 0\n");
  const CgroupParent parent = prepare("9:pids:/\n4:memory:/\n0::/\n");
  EXPECT_EQ(parent.base(), (CgroupPaths{.unified = at("unified/kelvin/d1"),
                                        .memory = at("memory/kelvin/d1"),
                                        .pids = at("pids/kelvin/d1")}));
  EXPECT_TRUE(parent.missing().empty());
}

TEST_F(FakeCgroups, StaysWithinItsOwnGroup) {
  mount_v1("memory");
  mount_v1("freezer");
  ASSERT_TRUE(make_dirs(at("memory/service/a")));
  const CgroupParent parent = prepare("4:memory:/service/a\n6:freezer:/\n");
  EXPECT_EQ(parent.base().memory, at("memory/service/a/kelvin/d1"));
  EXPECT_EQ(parent.base().freezer, at("freezer/kelvin/d1"));
  ASSERT_EQ(parent.missing().size(), 1U);
  EXPECT_EQ(parent.missing()[0], "limits on the number of processes (no writable pids controller)");
}

TEST_F(FakeCgroups, NamesEverythingThatIsMissing) {
  const CgroupParent parent = prepare("0::/\n");
  EXPECT_FALSE(parent.is_usable());
  EXPECT_EQ(parent.missing().size(), 4U);
}

TEST_F(FakeCgroups, UsesNoneWithoutAFreezer) {
  mount_v1("memory");
  const CgroupParent parent = prepare("4:memory:/\n");
  EXPECT_FALSE(parent.is_usable());
  EXPECT_EQ(parent.base(), CgroupPaths{});
  EXPECT_EQ(parent.missing().size(), 4U);
  EXPECT_FALSE(path_exists(at("memory/kelvin"))) << "what was made is removed again";
}

TEST_F(FakeCgroups, CreatesListsAndRemovesGroups) {
  mount_v1("memory");
  mount_v1("freezer");
  const CgroupParent parent = prepare("4:memory:/\n6:freezer:/\n");
  const auto group = parent.create("r1-2");
  ASSERT_TRUE(group);
  EXPECT_TRUE(group->exists());
  EXPECT_EQ(parent.list(), std::vector<std::string>{"r1-2"});
  EXPECT_EQ(parent.create("r1-2").error().code, Code::Conflict);
  EXPECT_TRUE(parent.list().size() == 1) << "a failed create removes nothing of the first";
}

TEST_F(FakeCgroups, WritesV1Files) {
  put("m/memory.limit_in_bytes", "");
  put("m/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  put("m/memory.failcnt", "17\n");
  put("m/memory.usage_in_bytes", "4096\n");
  put("f/freezer.state", "THAWED\n");
  put("f/cgroup.procs", "12\n13\n");
  put("c/cpuacct.usage", "5000\n");
  const Cgroup group({.freezer = at("f"), .memory = at("m"), .cpuacct = at("c")});
  ASSERT_TRUE(group.set_limits({.memory = 64_MiB}));
  EXPECT_EQ(text("m/memory.limit_in_bytes"), "67108864");
  EXPECT_EQ(group.memory_used()->count, 4096U);
  EXPECT_EQ(group.oom_counts()->kills, 3U);
  EXPECT_EQ(group.oom_counts()->limit_hits, 17U);
  EXPECT_EQ(group.cpu_time()->count(), 5000);
  EXPECT_EQ(group.pids().value(), (std::vector<pid_t>{12, 13}));
  EXPECT_FALSE(group.is_frozen().value());
  ASSERT_TRUE(group.freeze());
  EXPECT_EQ(text("f/freezer.state"), "FROZEN\n");
  EXPECT_EQ(group.set_limits({.pids = 5}).error().code, Code::Unavailable);
}

TEST_F(FakeCgroups, WritesV2Files) {
  put("u/memory.max", "");
  put("u/memory.events", "low 0\nhigh 0\nmax 4\noom 2\noom_kill 1\noom_group_kill 0\n");
  put("u/memory.current", "8192\n");
  put("u/cpu.stat", "usage_usec 7\nuser_usec 3\n");
  put("u/cgroup.freeze", "0");
  put("u/cgroup.events", "populated 1\nfrozen 1\n");
  put("u/cgroup.kill", "");
  put("u/pids.max", "");
  const Cgroup group({.unified = at("u")});
  ASSERT_TRUE(group.set_limits({.memory = 1_MiB, .pids = 5}));
  EXPECT_EQ(text("u/memory.max"), "1048576");
  EXPECT_EQ(text("u/pids.max"), "5");
  EXPECT_EQ(group.oom_counts()->kills, 1U);
  EXPECT_EQ(group.cpu_time()->count(), 7000);
  EXPECT_TRUE(group.is_frozen().value());
  ASSERT_TRUE(group.freeze());
  EXPECT_EQ(text("u/cgroup.freeze"), "1");
  ASSERT_TRUE(group.kill());
  EXPECT_EQ(text("u/cgroup.kill"), "1");
}

}  // namespace
}  // namespace kelvin::os
