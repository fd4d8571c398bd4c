#include "takeover/codec.h"

#include <gtest/gtest.h>

#include "takeover/samples_test.h"

namespace kelvin::takeover {
namespace {

TEST(TakeoverCodec, EveryKindOfMessageComesBackAsItWas) {
  const std::vector<Message> all = samples();
  ASSERT_EQ(all.size(), std::variant_size_v<Message>);
  for (std::size_t kind = 0; kind < all.size(); ++kind) {
    ASSERT_EQ(all[kind].index(), kind);
    const auto bytes = encode(all[kind]);
    ASSERT_TRUE(bytes);
    const auto back = decode(*bytes);
    ASSERT_TRUE(back) << kind << ": " << back.error().what;
    EXPECT_EQ(back->index(), kind);
    EXPECT_EQ(encode(*back), *bytes) << kind;
  }
}

TEST(TakeoverCodec, AMessageThatIsCutOffAnywhereIsRefused) {
  for (const Message& message : samples()) {
    const std::string bytes = *encode(message);
    for (std::size_t length = kFrameHeadBytes + 1; length < bytes.size(); ++length) {
      std::string cut = bytes.substr(0, length);
      const auto body = static_cast<std::uint32_t>(length - kFrameHeadBytes);
      for (std::size_t i = 0; i < kFrameHeadBytes; ++i)
        cut[i] = static_cast<char>((body >> (8 * i)) & 0xff);
      EXPECT_FALSE(decode(cut)) << "kind " << message.index() << " cut to " << length;
    }
  }
}

TEST(TakeoverCodec, NothingMayFollowTheLastField) {
  for (const Message& message : samples()) {
    std::string bytes = *encode(message) + "x";
    bytes[0] = static_cast<char>(bytes[0] + 1);
    EXPECT_FALSE(decode(bytes)) << message.index();
  }
}

TEST(TakeoverCodec, WritesNumbersLittleEndianInTheOrderOfTheFields) {
  const std::string bytes =
      *encode(model::HandoverRefused{{0x0102}, {3}, model::HandoverProblem::ClientLeft});
  const unsigned char wanted[] = {18, 0, 0, 0, 14, 2, 1, 0, 0, 0, 0,
                                  0,  0, 3, 0, 0,  0, 0, 0, 0, 0, 1};
  EXPECT_EQ(bytes, std::string(reinterpret_cast<const char*>(wanted), sizeof wanted));
}

// Fails when a struct that travels has grown or its order has changed. Then kProtocolVersion grows with this number,
// samples() gets a value for the member, and whatever makes or takes the message is looked at.
TEST(TakeoverCodec, ItsLayoutIsTheOneOfItsVersion) {
  std::uint32_t sum = 2'166'136'261U;  // FNV-1a
  for (const Message& message : samples()) {
    const std::string bytes = *encode(message);
    for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 16'777'619U;
  }
  EXPECT_EQ(sum, 2'724'486'543U);
  EXPECT_EQ(kProtocolVersion, 4U);
}

TEST(TakeoverCodec, RefusesAnEnumeratorThatDoesNotExist) {
  std::string bytes = *encode(model::HandoverRefused{{1}, {2}, model::HandoverProblem::ClientLeft});
  bytes.back() = 2;
  EXPECT_FALSE(decode(bytes));
}

TEST(TakeoverCodec, RefusesABoolThatIsNeither) {
  std::string bytes = *encode(model::MeterLineKept{});
  ASSERT_EQ(bytes.back(), 0);
  bytes.back() = 2;
  EXPECT_FALSE(decode(bytes));
}

TEST(TakeoverCodec, ACountBeyondWhatIsThereIsRefusedWithoutMemory) {
  std::string bytes = *encode(ManagementTaken{"x"});
  for (std::size_t i = 5; i < 9; ++i) bytes[i] = static_cast<char>(0xff);
  EXPECT_FALSE(decode(bytes));
}

TEST(TakeoverCodec, RefusesAnUnknownKind) { EXPECT_FALSE(decode(std::string("\1\0\0\0\x7f", 5))); }

TEST(TakeoverCodec, RefusesLengthsOutOfRange) {
  EXPECT_FALSE(frame_bytes(std::string("\0\0\0\0", 4)));
  EXPECT_FALSE(frame_bytes("\xff\xff\xff\xff"));
  EXPECT_EQ(frame_bytes("abc").value(), std::nullopt);
}

TEST(TakeoverCodec, RefusesToWriteWhatNobodyWouldRead) {
  EXPECT_FALSE(encode(ManagementTaken{std::string(kMessageBytesMax, 'x')}));
}

TEST(TakeoverCodec, OnlyWhatADataPlaneSaysGoesOver) {
  EXPECT_TRUE(as_message(model::Demand{}));
  EXPECT_TRUE(as_message(model::BusyMeasured{}));
  EXPECT_FALSE(as_message(model::ReplicaMoved{}));
  EXPECT_FALSE(as_message(model::Tick{}));
}

}  // namespace
}  // namespace kelvin::takeover
