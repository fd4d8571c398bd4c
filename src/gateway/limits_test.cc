// Tests of limits: the table of names, connections per address, bodies that come too slowly.
#include "gateway/limits.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "gateway/addresses.h"
#include "gateway/rate_watch.h"

namespace kelvin::gateway {
namespace {

// --- the table ---

TEST(Limits, HaveNamesThatAreUniqueAndInKebabCase) {
  std::set<std::string_view> seen;
  for (const LimitRow& row : limit_rows()) {
    EXPECT_TRUE(seen.insert(row.name).second) << row.name;
    EXPECT_EQ(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
              std::string_view::npos)
        << row.name;
    EXPECT_FALSE(row.covers.empty() || row.answer.empty()) << row.name;
    EXPECT_EQ(find_limit(row.name), &row);
  }
  EXPECT_EQ(find_limit("no-such-limit"), nullptr);
}

TEST(Limits, HaveDefaultsInsideTheirRanges) {
  const GatewayLimits limits;
  for (const LimitRow& row : limit_rows()) {
    EXPECT_LE(row.least, value_of(row, limits)) << row.name;
    EXPECT_GE(row.most, value_of(row, limits)) << row.name;
  }
  EXPECT_EQ(contradiction_of(limits), "");
}

TEST(Limits, AreEachAFieldOfTheirOwn) {
  for (const LimitRow& row : limit_rows()) {
    for (const std::uint64_t value : {row.least, row.most}) {
      GatewayLimits limits;
      set_value(row, value, limits);
      EXPECT_EQ(value_of(row, limits), value) << row.name;
      for (const LimitRow& other : limit_rows()) {
        if (&other == &row) continue;
        EXPECT_EQ(value_of(other, limits), value_of(other, GatewayLimits()))
            << row.name << " " << other.name;
      }
    }
  }
}

TEST(Limits, ThatContradictEachOtherAreNamed) {
  GatewayLimits limits;
  limits.held_total_max = limits.held_body_max - 1;
  EXPECT_EQ(contradiction_of(limits), "held-body is more than held-total");
}

// --- connections per address ---

TEST(Addresses, CountByAddressAndByTheFirst64BitsOfIpv6) {
  using Kind = AddressPrefix::Kind;
  EXPECT_EQ(prefix_of("192.0.2.7"), (AddressPrefix{Kind::V4, 0xc0000207}));
  EXPECT_EQ(prefix_of("::ffff:192.0.2.7"), prefix_of("192.0.2.7"));
  EXPECT_EQ(prefix_of("2001:db8::1"), (AddressPrefix{Kind::V6, 0x20010db800000000}));
  EXPECT_EQ(prefix_of("2001:db8::ffff:ffff:ffff:ffff"), prefix_of("2001:db8::1"));
  EXPECT_NE(prefix_of("2001:db8:0:1::1"), prefix_of("2001:db8::1"));
  EXPECT_NE(prefix_of("0.0.0.1"), prefix_of("::1:0:0:0:1")) << "the families are apart";
}

TEST(Addresses, OfThisMachineAreNotCounted) {
  for (const char* address : {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "", "nonsense"})
    EXPECT_EQ(prefix_of(address), AddressPrefix()) << address;
  AddressBook book(1, 7);
  const auto first = book.enter(prefix_of("127.0.0.1"));
  const auto second = book.enter(prefix_of("127.0.0.1"));
  EXPECT_TRUE(first && second);
  EXPECT_EQ(book.size(), 0u);
}

TEST(Addresses, HaveAtMostTheirShare) {
  AddressBook book(2, 7);
  const AddressPrefix one = prefix_of("192.0.2.1");
  const AddressPrefix other = prefix_of("192.0.2.2");
  auto a = book.enter(one);
  auto b = book.enter(one);
  EXPECT_TRUE(a && b);
  EXPECT_FALSE(book.enter(one));
  EXPECT_TRUE(book.enter(other)) << "somebody else";
  a.reset();
  const auto c = book.enter(one);
  EXPECT_TRUE(c) << "a place came free";
  EXPECT_FALSE(book.enter(one));
}

TEST(Addresses, AreForgottenWithTheirLastConnection) {
  AddressBook book(3, 7);
  {
    std::vector<AddressBook::Place> places;
    for (int i = 0; i < 1000; ++i) {
      auto place = book.enter({AddressPrefix::Kind::V4, static_cast<std::uint64_t>(i)});
      ASSERT_TRUE(place);
      places.push_back(std::move(*place));
    }
    EXPECT_EQ(book.size(), 1000u);
    AddressBook::Place moved = std::move(places.back());
    places.pop_back();
    EXPECT_EQ(book.size(), 1000u) << "the place moved on";
  }
  EXPECT_EQ(book.size(), 0u);
}

TEST(Addresses, MayHaveAnyNumberWithoutALimit) {
  AddressBook book(0, 7);
  std::vector<AddressBook::Place> places;
  for (int i = 0; i < 100; ++i) places.push_back(*book.enter(prefix_of("192.0.2.1")));
  EXPECT_EQ(book.size(), 0u);
}

// --- the rate of a body ---

constexpr RateRule kRule{.bytes_per_second_min = 240, .window = 10s};
constexpr Instant at(Duration since) { return Instant{5'000'000'000} + since; }

TEST(RateWatch, JudgesByWholeWindows) {
  RateWatch watch;
  EXPECT_EQ(watch.deadline(kRule), Instant::never()) << "nothing is awaited yet";
  watch.resume(at(0s));
  EXPECT_EQ(watch.deadline(kRule), at(10s));
  EXPECT_FALSE(watch.is_too_slow(kRule, at(9999ms))) << "too early to say";
  watch.note(2400);
  EXPECT_FALSE(watch.is_too_slow(kRule, at(10s)));
  EXPECT_EQ(watch.deadline(kRule), at(20s));
  watch.note(2399);
  EXPECT_TRUE(watch.is_too_slow(kRule, at(20s)));
}

TEST(RateWatch, DoesNotBlameTheClientForAPause) {
  RateWatch watch;
  watch.resume(at(0s));
  watch.note(2400);
  EXPECT_FALSE(watch.is_too_slow(kRule, at(10s)));
  watch.pause(at(12s));
  watch.pause(at(13s));
  EXPECT_EQ(watch.deadline(kRule), Instant::never());
  EXPECT_FALSE(watch.is_too_slow(kRule, at(1000s)));
  watch.resume(at(1000s));
  watch.resume(at(1001s));
  EXPECT_EQ(watch.deadline(kRule), at(1008s));
  EXPECT_FALSE(watch.is_too_slow(kRule, at(1007s)));
  EXPECT_TRUE(watch.is_too_slow(kRule, at(1008s)));
}

TEST(RateWatch, LetsNobodySendAheadAndStall) {
  RateWatch watch;
  watch.resume(at(0s));
  watch.note(1'000'000'000);
  EXPECT_FALSE(watch.is_too_slow(kRule, at(10s)));
  EXPECT_TRUE(watch.is_too_slow(kRule, at(20s)));
}

TEST(RateWatch, IsSatisfiedByARuleThatAsksForNothing) {
  const RateRule nothing{.bytes_per_second_min = 0};
  RateWatch watch;
  watch.resume(at(0s));
  EXPECT_EQ(watch.deadline(nothing), Instant::never());
  EXPECT_FALSE(watch.is_too_slow(nothing, at(1h)));
}

TEST(RateWatch, CountsWithRulesOfAnySize) {
  const RateRule huge{.bytes_per_second_min = 1ULL << 62U, .window = 24h};
  RateWatch watch;
  watch.resume(at(0s));
  watch.note(1ULL << 62U);
  EXPECT_TRUE(watch.is_too_slow(huge, at(24h)));
}

}  // namespace
}  // namespace kelvin::gateway
