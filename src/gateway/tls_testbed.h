// tls_testbed: certificates made on the spot, and a TLS client that is OpenSSL's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/tls.h"
#include "gateway/tls_stream.h"
#include "os/fd.h"
#include "os/files.h"

struct ssl_st;
struct ssl_ctx_st;

namespace kelvin::gateway::testbed {

// In PEM: a fresh EC key and a certificate that it signs itself, with these DNS names.
struct Identity {
  std::string certificate;
  std::string key;
};
Identity make_identity(const std::vector<std::string>& names);
// The same key, only to be read with a passphrase.
std::string encrypted(const std::string& key);

// Certificate files in a folder that goes at the end.
class IdentityFolder {
 public:
  IdentityFolder();
  // Writes NAME.pem and NAME.key.
  CertificateFiles write(const std::string& name, const Identity& identity);
  std::string path(const std::string& file) const { return folder_.path() + "/" + file; }

 private:
  os::TempDir folder_;
};

struct ClientWish {
  std::string server_name;
  std::vector<std::string> protocols;  // ALPN; empty: none offered
  int version_min = 0;                 // 0: whatever OpenSSL likes
  int version_max = 0;
  std::string ciphers12;  // empty: the library's
};

// On a socket that does not block; checks no certificate.
class TlsClient {
 public:
  TlsClient(int fd, const ClientWish& wish);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // True once the handshake is done.
  bool connect_some();
  // Everything that can be read without waiting.
  std::string read_some();
  // What the socket takes without waiting.
  std::size_t write_some(std::string_view bytes);
  void say_goodbye();
  void ask_for_key_update();

  bool is_connected() const { return is_connected_; }
  bool has_failed() const { return has_failed_; }  // for ever, be it here or by the server's alert
  std::string failure() const { return failure_; }
  bool saw_goodbye() const;
  std::string protocol() const;          // what ALPN chose
  std::string certificate_name() const;  // first DNS name of the server's certificate
  std::string version() const;
  bool was_resumed() const;
  // The session, to be resumed by a client that is made with it.
  void keep_session(TlsClient& from);

 private:
  // False: nothing more for the moment, or for ever.
  bool note(int outcome);

  ssl_ctx_st* context_;
  ssl_st* ssl_;
  bool is_connected_ = false;
  bool has_failed_ = false;
  std::string failure_;
};

// Two ends of a stream that does not block.
struct StreamPair {
  StreamPair();
  os::Fd server;
  os::Fd client;
};

// Lets both go on until the handshake is done on both sides or neither can go on; what the server's last receive said.
Received shake_hands(TlsStream& server, TlsClient& client);

}  // namespace kelvin::gateway::testbed
