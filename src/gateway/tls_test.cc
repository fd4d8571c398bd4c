// Tests of TLS: certificates by name, their reloading, and streams against a real OpenSSL client.
#include "gateway/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/certificate_names.h"
#include "gateway/tls_stream.h"
#include "gateway/tls_testbed.h"

namespace kelvin::gateway {
namespace {

using namespace testbed;

constexpr Instant kStart{1'000'000'000};

TEST(CertificateNames, AreFoundExactlyFirstAndThenByOneLabelBelow) {
  CertificateNames names;
  EXPECT_TRUE(names.add("*.example.com", 0));
  EXPECT_TRUE(names.add("Box.Example.com", 1));
  EXPECT_TRUE(names.add("*.localhost", 2));
  EXPECT_EQ(names.find("box.example.com"), 1u);
  EXPECT_EQ(names.find("BOX.example.COM."), 1u);
  EXPECT_EQ(names.find("other.example.com"), 0u);
  EXPECT_EQ(names.find("gemma.localhost"), 2u);
  EXPECT_EQ(names.find("a.b.example.com"), std::nullopt) << "a wildcard is one label";
  EXPECT_EQ(names.find("example.com"), std::nullopt);
  EXPECT_EQ(names.find("localhost"), std::nullopt);
  EXPECT_EQ(names.find(""), std::nullopt);
}

TEST(CertificateNames, StayWithTheFirstCertificateThatHasThem) {
  CertificateNames names;
  EXPECT_TRUE(names.add("a.example", 0));
  EXPECT_TRUE(names.add("a.example", 1));
  EXPECT_EQ(names.find("a.example"), 0u);
}

TEST(CertificateNames, AreHostNames) {
  CertificateNames names;
  const std::string label(64, 'a');
  const std::vector<std::string> bad = {"",
                                        ".",
                                        "*",
                                        "*.",
                                        "a..b",
                                        ".a",
                                        "a.*.b",
                                        "*a.b",
                                        "*.*.b",
                                        "a b",
                                        "a/b",
                                        std::string("a\0b", 3),
                                        "\xc3\xa4.de",
                                        label,
                                        std::string(254, '.')};
  for (const std::string& name : bad) EXPECT_FALSE(names.add(name, 0)) << name;
  EXPECT_EQ(names.find("*.b"), std::nullopt);
  EXPECT_EQ(names.find(".b"), std::nullopt);
  EXPECT_TRUE(names.add("x_1-2.b", 0));
  EXPECT_TRUE(names.add(label.substr(1) + ".b", 0));
}

// One certificate, a server's stream and a client.
class TlsStreams : public testing::Test {
 protected:
  void open(std::vector<CertificateFiles> files, bool offers_h2 = true) {
    auto opened = TlsContexts::open({.files = std::move(files), .offers_h2 = offers_h2});
    ASSERT_TRUE(opened) << opened.error().what;
    contexts = *std::move(opened);
  }
  void open_one() { open({folder.write("box", make_identity({"box.example"}))}); }

  void begin(const ClientWish& wish = {}) {
    stream.reset();
    client.reset();
    sockets = std::make_unique<StreamPair>();
    stream = std::make_unique<TlsStream>(contexts->snapshot(), sockets->server.get());
    client = std::make_unique<TlsClient>(sockets->client.get(), wish);
  }
  Received connect(const ClientWish& wish = {}) {
    begin(wish);
    return shake_hands(*stream, *client);
  }
  std::string server_name_seen(const std::string& asked) {
    connect({.server_name = asked});
    return client->certificate_name();
  }
  // What one receive gives.
  std::string take(std::size_t most = 65536) {
    std::string buffer(most, '\0');
    last = stream->receive(buffer);
    buffer.resize(last.bytes);
    return buffer;
  }

  IdentityFolder folder;
  std::unique_ptr<TlsContexts> contexts;
  std::unique_ptr<StreamPair> sockets;
  std::unique_ptr<TlsStream> stream;
  std::unique_ptr<TlsClient> client;
  Received last;
};

TEST_F(TlsStreams, CarryBytesBothWays) {
  open_one();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    connect({.version_min = version, .version_max = version});
    ASSERT_TRUE(stream->is_established());
    EXPECT_EQ(stream->version(), client->version());
    EXPECT_EQ(client->write_some("question"), 8u);
    EXPECT_EQ(take(), "question");
    EXPECT_EQ(take(), "");
    EXPECT_EQ(last.io, Io::Blocked);
    EXPECT_FALSE(stream->may_receive());
    const Sent sent = stream->send({"an", "", "swer"});
    EXPECT_EQ(sent.io, Io::Done);
    EXPECT_EQ(sent.bytes, 6u);
    EXPECT_EQ(client->read_some(), "answer");
  }
}

TEST_F(TlsStreams, ChooseTheCertificateByName) {
  open({folder.write("first", make_identity({"first.example", "other.example"})),
        folder.write("second", make_identity({"*.second.example", "other.example"})),
        folder.write("third", make_identity({"x.second.example"}))});
  EXPECT_EQ(server_name_seen("first.example"), "first.example");
  EXPECT_EQ(server_name_seen("a.second.example"), "*.second.example");
  EXPECT_EQ(server_name_seen("X.second.example"), "x.second.example") << "exact before wildcard";
  EXPECT_EQ(stream->server_name(), "X.second.example") << "as it was asked for";
  EXPECT_EQ(server_name_seen("other.example"), "first.example") << "the first that has the name";
  EXPECT_EQ(server_name_seen("stranger.example"), "first.example");
  EXPECT_EQ(server_name_seen(""), "first.example");
  EXPECT_EQ(stream->server_name(), "");
}

TEST_F(TlsStreams, PreferHttp2AndRefuseProtocolsThatAreNone) {
  open_one();
  connect({.protocols = {"http/1.1", "h2"}});
  EXPECT_EQ(client->protocol(), "h2");
  EXPECT_EQ(stream->alpn(), Alpn::Http2);
  connect({.protocols = {"spdy/1", "http/1.1"}});
  EXPECT_EQ(client->protocol(), "http/1.1");
  EXPECT_EQ(stream->alpn(), Alpn::Http1);
  connect();
  EXPECT_TRUE(stream->is_established()) << "clients without ALPN speak HTTP/1.1";
  EXPECT_EQ(stream->alpn(), Alpn::Http1);
  EXPECT_EQ(connect({.protocols = {"smtp"}}).io, Io::Broken);
  EXPECT_TRUE(client->has_failed());
  EXPECT_FALSE(stream->is_established());
  open({folder.write("box", make_identity({"box.example"}))}, false);
  connect({.protocols = {"h2", "http/1.1"}});
  EXPECT_EQ(client->protocol(), "http/1.1") << "where HTTP/2 is not offered";
}

TEST_F(TlsStreams, RefuseOldVersionsAndWeakCiphers) {
  open_one();
  EXPECT_EQ(connect({.version_min = TLS1_VERSION, .version_max = TLS1_1_VERSION}).io, Io::Broken);
  EXPECT_TRUE(client->has_failed());
  EXPECT_FALSE(stream->failure().empty());
  for (const char* ciphers : {"AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"}) {
    EXPECT_EQ(connect({.version_max = TLS1_2_VERSION, .ciphers12 = ciphers}).io, Io::Broken);
    EXPECT_TRUE(client->has_failed()) << ciphers;
  }
  EXPECT_EQ(stream->send({"x"}).io, Io::Broken);
}

TEST_F(TlsStreams, ResumeByTicket) {
  open_one();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const ClientWish wish{.version_min = version, .version_max = version};
    connect(wish);
    ASSERT_EQ(stream->send({"hello"}).io, Io::Done);
    ASSERT_EQ(client->read_some(), "hello");
    EXPECT_FALSE(client->was_resumed());
    const auto first = std::move(client);
    begin(wish);
    client->keep_session(*first);
    shake_hands(*stream, *client);
    ASSERT_TRUE(stream->is_established());
    EXPECT_TRUE(client->was_resumed()) << client->version();
  }
}

TEST_F(TlsStreams, WaitForAClientThatStopsInTheHandshake) {
  open_one();
  begin();
  EXPECT_EQ(take(), "");
  EXPECT_EQ(last.io, Io::Blocked);
  client->connect_some();
  EXPECT_EQ(take(), "");
  EXPECT_EQ(last.io, Io::Blocked) << "the hello is answered, the rest is missing";
  EXPECT_FALSE(stream->is_established());
  EXPECT_EQ(stream->send({"too early"}).io, Io::Blocked);
  EXPECT_EQ(stream->send({"too early"}).bytes, 0u);
  ::shutdown(sockets->client.get(), SHUT_WR);
  EXPECT_EQ(take(), "");
  EXPECT_EQ(last.io, Io::Ended);
  EXPECT_TRUE(stream->is_truncated());
}

TEST_F(TlsStreams, AreFedOneByteAtATime) {
  open_one();
  begin();
  StreamPair slow;
  TlsStream patient(contexts->snapshot(), slow.server.get());
  client->connect_some();
  std::array<char, 4096> hello{};
  const ssize_t size = ::recv(sockets->server.get(), hello.data(), hello.size(), 0);
  ASSERT_GT(size, 100);
  std::array<char, 16> buffer{};
  for (ssize_t i = 0; i + 1 < size; ++i) {
    ASSERT_EQ(::send(slow.client.get(), hello.data() + i, 1, 0), 1);
    ASSERT_EQ(patient.receive(buffer).io, Io::Blocked);
  }
  EXPECT_EQ(::recv(slow.client.get(), buffer.data(), buffer.size(), 0), -1)
      << "no answer before the end";
  ASSERT_EQ(::send(slow.client.get(), hello.data() + size - 1, 1, 0), 1);
  ASSERT_EQ(patient.receive(buffer).io, Io::Blocked);
  EXPECT_GT(::recv(slow.client.get(), buffer.data(), buffer.size(), 0), 0);
}

TEST_F(TlsStreams, RefuseGarbage) {
  open_one();
  begin();
  const std::string garbage(1000, '\x7f');
  ASSERT_EQ(::send(sockets->client.get(), garbage.data(), garbage.size(), 0), 1000);
  EXPECT_EQ(take(), "");
  EXPECT_EQ(last.io, Io::Broken);
  EXPECT_FALSE(stream->failure().empty());
  EXPECT_FALSE(stream->spoke_plain_http());
  EXPECT_EQ(take(), "");
  EXPECT_EQ(last.io, Io::Broken) << "for ever";
}

TEST_F(TlsStreams, TellPlainHttpApartAndSayNothingToIt) {
  open_one();
  begin();
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_GT(::send(sockets->client.get(), request.data(), request.size(), 0), 0);
  EXPECT_EQ(take(), "");
  EXPECT_EQ(last.io, Io::Broken);
  EXPECT_TRUE(stream->spoke_plain_http());
  char byte = 0;
  EXPECT_EQ(::recv(sockets->client.get(), &byte, 1, 0), -1) << "nothing was sent";
}

TEST_F(TlsStreams, RefuseGarbageAfterTheHandshake) {
  open_one();
  connect();
  ASSERT_EQ(client->write_some("good"), 4u);
  const std::string garbage(100, '\x17');
  ASSERT_EQ(::send(sockets->client.get(), garbage.data(), garbage.size(), 0), 100);
  EXPECT_EQ(take(), "good") << "what came before counts";
  EXPECT_TRUE(stream->may_receive());
  EXPECT_EQ(take(), "");
  EXPECT_EQ(last.io, Io::Broken);
}

TEST_F(TlsStreams, TellAGoodbyeFromACutConnection) {
  open_one();
  connect();
  client->write_some("all of it");
  client->say_goodbye();
  EXPECT_EQ(take(), "all of it");
  EXPECT_TRUE(stream->may_receive()) << "the goodbye came with it";
  EXPECT_EQ(take(), "");
  EXPECT_EQ(last.io, Io::Ended);
  EXPECT_FALSE(stream->is_truncated());
  EXPECT_EQ(stream->send({"an answer all the same"}).io, Io::Done);
  EXPECT_EQ(client->read_some(), "an answer all the same");

  connect();
  client->write_some("half of it");
  ::shutdown(sockets->client.get(), SHUT_WR);
  EXPECT_EQ(take(), "half of it");
  EXPECT_EQ(take(), "");
  EXPECT_EQ(last.io, Io::Ended);
  EXPECT_TRUE(stream->is_truncated());
  EXPECT_EQ(stream->send({"an answer all the same"}).io, Io::Done);
}

TEST_F(TlsStreams, SayGoodbyeOnce) {
  open_one();
  connect();
  EXPECT_EQ(stream->send({"last words"}).io, Io::Done);
  stream->close();
  stream->close();
  EXPECT_EQ(client->read_some(), "last words");
  EXPECT_TRUE(client->saw_goodbye());
  EXPECT_EQ(stream->send().io, Io::Done);
  EXPECT_EQ(stream->send({"more"}).io, Io::Broken);
  begin();
  stream->close();
  char byte = 0;
  EXPECT_EQ(::recv(sockets->client.get(), &byte, 1, 0), -1) << "nobody to say it to";
}

TEST_F(TlsStreams, HoldBackWhenTheClientDoesNotRead) {
  open_one();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    connect({.version_min = version, .version_max = version});
    std::string big(8'000'000, 'x');
    for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>(i * 7 / 3);
    const std::string_view head = "HTTP/1.1 200 OK\r\n\r\n";
    std::string got;
    std::size_t sent_head = 0;
    std::size_t sent_big = 0;
    int turns = 0;
    for (Io io = Io::Blocked; io != Io::Done; ++turns) {
      const Sent sent =
          stream->send({head.substr(sent_head), std::string_view(big).substr(sent_big)});
      ASSERT_NE(sent.io, Io::Broken);
      ASSERT_LE(stream->unsent(), TlsStream::kUnsentBytesMax);
      ASSERT_EQ(sent.io == Io::Blocked, stream->unsent() > 0);
      const std::size_t of_head = std::min(sent.bytes, head.size() - sent_head);
      sent_head += of_head;
      sent_big += sent.bytes - of_head;
      io = sent.io;
      // Blocked means Blocked: nothing is taken until the client reads.
      ASSERT_EQ(stream->send({"?"}).bytes, io == Io::Done ? 1u : 0u);
      got += client->read_some();
    }
    EXPECT_GT(turns, 5) << "the socket was full now and then";
    EXPECT_EQ(got.size(), head.size() + big.size() + 1);
    EXPECT_TRUE(got == std::string(head) + big + "?");
  }
}

TEST_F(TlsStreams, TakeUploadsOfAnySize) {
  open_one();
  connect();
  std::string big(3'000'000, 'u');
  for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>(i * 5 / 3);
  std::string got;
  std::size_t sent = 0;
  while (got.size() < big.size()) {
    sent += client->write_some(std::string_view(big).substr(sent));
    const std::string piece = take(50'000);
    ASSERT_TRUE(!piece.empty() || stream->may_receive() || sent < big.size());
    ASSERT_TRUE(piece.size() == 50'000 || !stream->may_receive()) << "filled, or drained";
    got += piece;
  }
  EXPECT_TRUE(got == big);
}

TEST_F(TlsStreams, SayThatARecordIsNotAllRead) {
  open_one();
  connect();
  ASSERT_EQ(client->write_some(std::string(10'000, 'u')), 10'000u);
  EXPECT_EQ(take(6'000).size(), 6'000u);
  EXPECT_TRUE(stream->may_receive()) << "the socket is empty, but the stream is not";
  EXPECT_EQ(take(6'000).size(), 4'000u);
  EXPECT_FALSE(stream->may_receive());
}

TEST_F(TlsStreams, EndAClientThatAsksWithoutReading) {
  open_one();
  connect({.version_min = TLS1_3_VERSION});
  const int little = 4096;
  ::setsockopt(sockets->server.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
  take();
  // Each request for a key update is answered; the answers are never read.
  for (int i = 0; i < 100'000 && last.io == Io::Blocked && !client->has_failed(); ++i) {
    client->ask_for_key_update();
    take();
    ASSERT_LE(stream->unsent(), TlsStream::kUnsentBytesMax);
  }
  EXPECT_EQ(last.io, Io::Broken);
}

TEST_F(TlsStreams, SurviveAKeyUpdate) {
  open_one();
  connect({.version_min = TLS1_3_VERSION});
  client->ask_for_key_update();
  client->write_some("after");
  EXPECT_EQ(take(), "after");
  EXPECT_EQ(stream->send({"too"}).io, Io::Done);
  EXPECT_EQ(client->read_some(), "too");
}

TEST_F(TlsStreams, NoticeASocketThatIsGone) {
  open_one();
  connect();
  sockets->client.reset();
  Sent sent;
  for (int i = 0; i < 3 && sent.io != Io::Broken; ++i) sent = stream->send({"anybody there?"});
  EXPECT_EQ(sent.io, Io::Broken);
  EXPECT_EQ(stream->failure(), "") << "TLS itself was fine";
}

// --- files ---

class TlsFiles : public TlsStreams {
 protected:
  std::string refusal(const CertificateFiles& files) {
    const auto opened = TlsContexts::open({.files = {files}});
    return opened ? "opened" : opened.error().what;
  }
  // Two looks a second apart, as a change needs.
  std::vector<TlsChange> look_twice() {
    now = now + 1s;
    std::vector<TlsChange> changes = contexts->reload_if_changed(now);
    EXPECT_TRUE(changes.empty()) << "what has just changed may be half written";
    now = now + 1s;
    return contexts->reload_if_changed(now);
  }
  Instant now = kStart;
};

TEST_F(TlsFiles, AreRefusedByName) {
  const Identity good = make_identity({"a.example"});
  const CertificateFiles files = folder.write("a", good);
  EXPECT_EQ(refusal(files), "opened");
  const CertificateFiles other = folder.write("b", make_identity({"b.example"}));
  EXPECT_EQ(refusal({files.certificate, other.key}),
            other.key + " is not the key of " + files.certificate);
  EXPECT_EQ(refusal({files.certificate, files.certificate}),
            files.certificate + " holds no private key in PEM");
  EXPECT_EQ(refusal({files.key, files.key}), files.key + " holds no certificate in PEM");
  EXPECT_NE(refusal({folder.path("none.pem"), files.key}).find("none.pem"), std::string::npos);
  EXPECT_NE(refusal({files.certificate, folder.path("none.key")}).find("none.key"),
            std::string::npos);
  const CertificateFiles locked = folder.write("locked", {good.certificate, encrypted(good.key)});
  EXPECT_EQ(refusal(locked), locked.key + " is encrypted: store the key without a passphrase");
  const CertificateFiles cut = folder.write(
      "cut",
      {good.certificate + good.certificate.substr(0, good.certificate.size() / 2), good.key});
  EXPECT_NE(refusal(cut).find("is damaged"), std::string::npos) << refusal(cut);
}

TEST_F(TlsFiles, OfKeysMayNotBeOpenToEverybody) {
  const CertificateFiles files = folder.write("a", make_identity({"a.example"}));
  ASSERT_EQ(::chmod(files.key.c_str(), 0644), 0);
  EXPECT_NE(refusal(files).find("chmod o= " + files.key), std::string::npos) << refusal(files);
  ASSERT_EQ(::chmod(files.key.c_str(), 0640), 0);
  EXPECT_EQ(refusal(files), "opened") << "a group may be meant to read it";
}

TEST_F(TlsFiles, SayWhatTheyAnswerFor) {
  open({folder.write("a", make_identity({"A.example", "*.b.example", "not a name"}))});
  const TlsCertificate found = contexts->snapshot()->certificates().at(0);
  EXPECT_EQ(found.file, folder.path("a.pem"));
  EXPECT_EQ(found.names, (std::vector<std::string>{"a.example", "*.b.example"}));
  EXPECT_GT(found.valid_from_unix_s, 1'700'000'000);
  EXPECT_EQ(found.expires_unix_s - found.valid_from_unix_s, 86'460);
}

TEST_F(TlsFiles, AreLoadedAgainWhenTheyChange) {
  open({folder.write("a", make_identity({"old.example"})),
        folder.write("b", make_identity({"b.example"}))});
  TlsView view(*contexts);
  const auto before = view.current();
  EXPECT_TRUE(look_twice().empty());
  EXPECT_EQ(view.current(), before);
  connect();
  folder.write("a", make_identity({"renewed.example"}));
  const std::vector<TlsChange> changes = look_twice();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_TRUE(changes[0].is_loaded);
  EXPECT_EQ(changes[0].file, folder.path("a.pem"));
  EXPECT_NE(view.current(), before);
  EXPECT_EQ(stream->send({"still here"}).io, Io::Done) << "open connections go on";
  EXPECT_EQ(client->read_some(), "still here");
  EXPECT_EQ(server_name_seen("renewed.example"), "renewed.example");
  EXPECT_EQ(server_name_seen("b.example"), "b.example");
  EXPECT_EQ(server_name_seen("old.example"), "renewed.example") << "which is the first";
  EXPECT_TRUE(look_twice().empty());
}

TEST_F(TlsFiles, ThatBreakKeepTheOldCertificateAndAreReportedOnce) {
  open({folder.write("a", make_identity({"old.example"})),
        folder.write("b", make_identity({"b.example"}))});
  folder.write("a", {"no certificate", "no key"});
  folder.write("b", make_identity({"new-b.example"}));
  std::vector<TlsChange> changes = look_twice();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_FALSE(changes[0].is_loaded);
  EXPECT_NE(changes[0].why.find(folder.path("a.pem")), std::string::npos) << changes[0].why;
  EXPECT_TRUE(changes[1].is_loaded) << "the other one is not held back";
  EXPECT_TRUE(look_twice().empty()) << "once";
  EXPECT_EQ(server_name_seen("old.example"), "old.example");
  EXPECT_EQ(server_name_seen("new-b.example"), "new-b.example");
  ASSERT_TRUE(os::remove_file(folder.path("a.key")).has_value());
  changes = look_twice();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_FALSE(changes[0].is_loaded);
  folder.write("a", make_identity({"good.example"}));
  changes = look_twice();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_TRUE(changes[0].is_loaded);
  EXPECT_EQ(server_name_seen("good.example"), "good.example");
}

TEST_F(TlsFiles, AreLookedAtOnceASecondAndLeftAloneWhileTheyChange) {
  open({folder.write("a", make_identity({"old.example"}))});
  EXPECT_TRUE(contexts->reload_if_changed(now).empty());
  for (int i = 0; i < 3; ++i) {
    folder.write("a", make_identity({"busy.example"}));
    now = now + 1s;
    EXPECT_TRUE(contexts->reload_if_changed(now).empty());
  }
  EXPECT_TRUE(contexts->reload_if_changed(now + 999ms).empty());
  EXPECT_EQ(contexts->reload_if_changed(now + 1s).size(), 1u);
}

}  // namespace
}  // namespace kelvin::gateway
