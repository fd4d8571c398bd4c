#include "cluster/local/note.h"

#include <gtest/gtest.h>

#include "keeper/protocol.h"

namespace kelvin::cluster::local {
namespace {

TEST(Note, ComesBackAsItWasWritten) {
  const Note note{.replica = {(3ULL << 40) | 17},
                  .revision = {5},
                  .app = {2},
                  .lease = {.node = {1}, .kind = "cpu", .accelerators = {0, 3}, .memory = 2_GiB},
                  .slot = 12,
                  .port = 20'001,
                  .has_fixed_port = true,
                  .created = {123},
                  .memory_limit = 1_GiB,
                  .ready_path = "/health?\"x\"",
                  .alive_path = "/alive"};
  const auto back = decode_note(encode(note));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->replica, note.replica);
  EXPECT_EQ(back->revision, note.revision);
  EXPECT_EQ(back->app, note.app);
  EXPECT_EQ(back->lease.accelerators, note.lease.accelerators);
  EXPECT_EQ(back->lease.memory.count, note.lease.memory.count);
  EXPECT_EQ(back->slot, 12U);
  EXPECT_EQ(back->port, 20'001);
  EXPECT_TRUE(back->has_fixed_port);
  EXPECT_EQ(back->created.ns, 123);
  EXPECT_EQ(back->memory_limit.count, note.memory_limit.count);
  EXPECT_EQ(back->ready_path, note.ready_path);
  EXPECT_EQ(back->alive_path, note.alive_path);
}

TEST(Note, RefusesOtherText) {
  for (const char* text : {"", "{}", "[]", R"({"v":2})", R"({"v":1,"replica":"x"})"}) {
    EXPECT_FALSE(decode_note(text)) << text;
  }
}

TEST(Note, FitsTheKeepersRecordWithLongPaths) {
  Note note{.ready_path = std::string(2048, 'r'), .alive_path = std::string(2048, 'a')};
  note.lease.accelerators.assign(64, 123);
  EXPECT_LE(encode(note).size(), keeper::kNoteBytesMax);
}

}  // namespace
}  // namespace kelvin::cluster::local
