#include "appfile/values.h"

#include <gtest/gtest.h>

#include <array>

namespace kelvin::appfile {
namespace {

TEST(Size, IsReadInBinaryAndDecimalUnits) {
  EXPECT_EQ(read_size("1KiB"), Bytes{1024});
  EXPECT_EQ(read_size("1KB"), Bytes{1000});
  EXPECT_EQ(read_size("2GiB"), 2_GiB);
  EXPECT_EQ(read_size("500MB"), Bytes{500'000'000});
  EXPECT_EQ(read_size("3TiB"), Bytes{3ULL << 40});
  EXPECT_EQ(read_size("16777215TiB"), Bytes{16777215ULL << 40});
}

TEST(Size, HintsAtWhatWasMeant) {
  const std::array<std::pair<const char*, const char*>, 12> cases{{
      {"2", "did you mean '2GiB'?"},
      {"2Gi", "did you mean '2GiB'?"},
      {"2g", "did you mean '2GiB'?"},
      {"2gb", "did you mean '2GB'?"},
      {"2 GiB", "did you mean '2GiB'?"},
      {"1.5GiB", "write a whole number of a smaller unit"},
      {"16777216TiB", "the number is too large"},
      {"99999999999999999999KiB", "the number is too large"},
      {"2147483648", "a unit is missing"},
      {"", ""},
      {"GiB", ""},
      {"-1GiB", ""},
  }};
  for (const auto& [text, hint] : cases) {
    const Read<Bytes> size = read_size(text);
    ASSERT_FALSE(size.has_value()) << text;
    EXPECT_EQ(size.error(), hint) << text;
  }
}

TEST(Size, ReadsBackAsItIsWritten) {
  for (const char* text : {"1KiB", "3MB", "24GiB", "64TiB", "1023KiB", "7GB"}) {
    EXPECT_EQ(to_text(read_size(text).value()), text);
  }
}

TEST(Duration, IsReadInFourUnits) {
  EXPECT_EQ(read_duration("500ms"), Duration(500ms));
  EXPECT_EQ(read_duration("60s"), Duration(60s));
  EXPECT_EQ(read_duration("10m"), Duration(10min));
  EXPECT_EQ(read_duration("2h"), Duration(2h));
}

TEST(Duration, HintsAtWhatWasMeant) {
  const std::array<std::pair<const char*, const char*>, 6> cases{{
      {"60", "did you mean '60s'?"},
      {"10min", "did you mean '10m'?"},
      {"10 minutes", "did you mean '10m'?"},
      {"1.5h", "write a whole number of a smaller unit"},
      {"9999999999999h", "the number is too large"},
      {"soon", ""},
  }};
  for (const auto& [text, hint] : cases) {
    const Read<Duration> length = read_duration(text);
    ASSERT_FALSE(length.has_value()) << text;
    EXPECT_EQ(length.error(), hint) << text;
  }
}

TEST(Thousandths, TakeThreeDecimalsAtMost) {
  EXPECT_EQ(read_thousandths("20"), 20'000U);
  EXPECT_EQ(read_thousandths("0.5"), 500U);
  EXPECT_EQ(read_thousandths("1.025"), 1'025U);
  for (const char* text : {"1.", ".5", "1.0001", "1.x", "-1", "", "4294967"}) {
    EXPECT_FALSE(read_thousandths(text).has_value()) << text;
  }
}

TEST(Origin, IsPutIntoTheFormThatBrowsersSend) {
  EXPECT_EQ(read_origin("https://Example.COM"), "https://example.com");
  EXPECT_EQ(read_origin("https://example.com:443"), "https://example.com");
  EXPECT_EQ(read_origin("http://example.com:80"), "http://example.com");
  EXPECT_EQ(read_origin("http://localhost:3000"), "http://localhost:3000");
  EXPECT_EQ(read_origin("http://[::1]:8080"), "http://[::1]:8080");
}

TEST(Origin, IsSchemeHostAndPortAndNothingElse) {
  for (const char* text :
       {"*", "null", "", "example.com", "https://", "https://a b", "https://a/", "https://a/x",
        "ftp://a", "https://a:0", "https://a:65536", "https://a:", "https://user@a", "https://[",
        "https://[]", "https://a..b", "https://a?x", "https://[::1"}) {
    EXPECT_FALSE(read_origin(text).has_value()) << text;
  }
  EXPECT_EQ(read_origin("https://a.b/").error(), "an origin has no path; write 'https://a.b'");
  EXPECT_EQ(read_origin("a.b").error(), "did you mean 'https://a.b'?");
}

TEST(DnsLabel, HasAtMost63CharactersAndNoHyphenAtItsEnds) {
  EXPECT_TRUE(is_dns_label("a"));
  EXPECT_TRUE(is_dns_label("gemma-3"));
  EXPECT_TRUE(is_dns_label(std::string(63, 'a')));
  const std::string too_long(64, 'a');
  for (const std::string_view text :
       {"", "-a", "a-", "A", "a.b", "a_b", "\xc3\xa4", too_long.c_str()}) {
    EXPECT_FALSE(is_dns_label(text)) << text;
  }
}

TEST(Nearest, FindsMisspeltWordsAndNoOthers) {
  constexpr std::array<std::string_view, 6> kKnown{"name", "command", "model",
                                                   "env",  "memory",  "served_model"};
  EXPECT_EQ(nearest("modle", kKnown), "model");
  EXPECT_EQ(nearest("comand", kKnown), "command");
  EXPECT_EQ(nearest("Name", kKnown), "name");
  EXPECT_EQ(nearest("memroy", kKnown), "memory");
  EXPECT_EQ(nearest("environment", kKnown), "env");
  EXPECT_EQ(nearest("served-model", kKnown), "served_model");
  EXPECT_EQ(nearest("volumes", kKnown), "");
  EXPECT_EQ(nearest("", kKnown), "");
  EXPECT_EQ(nearest(std::string(100'000, 'n'), kKnown), "");
}

}  // namespace
}  // namespace kelvin::appfile
