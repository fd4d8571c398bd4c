// tls_testbed: certificates made on the spot, and a TLS client that is OpenSSL's own.
#include "gateway/tls_testbed.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "base/check.h"

namespace kelvin::gateway::testbed {
namespace {

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

std::string key_text(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  KELVIN_CHECK(PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(bio);
}

void add_names(X509* certificate, const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "DNS:" : ",DNS:") + name;
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, list.c_str());
  KELVIN_CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

}  // namespace

Identity make_identity(const std::vector<std::string>& names) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  KELVIN_CHECK(key != nullptr && certificate != nullptr);
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  add_names(certificate, names);
  KELVIN_CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
  BIO* bio = BIO_new(BIO_s_mem());
  KELVIN_CHECK(PEM_write_bio_X509(bio, certificate) == 1);
  Identity identity{.certificate = text_of(bio), .key = key_text(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return identity;
}

std::string encrypted(const std::string& key) {
  BIO* in = BIO_new_mem_buf(key.data(), static_cast<int>(key.size()));
  EVP_PKEY* read = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
  BIO_free(in);
  BIO* out = BIO_new(BIO_s_mem());
  const std::string passphrase = "open sesame";
  KELVIN_CHECK(PEM_write_bio_PrivateKey(out, read, EVP_aes_128_cbc(),
                                        reinterpret_cast<const unsigned char*>(passphrase.data()),
                                        static_cast<int>(passphrase.size()), nullptr,
                                        nullptr) == 1);
  EVP_PKEY_free(read);
  return text_of(out);
}

IdentityFolder::IdentityFolder() : folder_(*os::TempDir::create("kelvin-tls")) {}

CertificateFiles IdentityFolder::write(const std::string& name, const Identity& identity) {
  const CertificateFiles files{.certificate = path(name + ".pem"), .key = path(name + ".key")};
  const os::WriteOptions options{.durability = os::Durability::Process};
  KELVIN_CHECK(os::write_file_atomic(files.certificate, identity.certificate, options).has_value());
  KELVIN_CHECK(os::write_file_atomic(files.key, identity.key, options).has_value());
  return files;
}

TlsClient::TlsClient(int fd, const ClientWish& wish)
    : context_(SSL_CTX_new(TLS_client_method())), ssl_(nullptr) {
  SSL_CTX_set_security_level(context_, 0);
  SSL_CTX_set_min_proto_version(context_, wish.version_min);
  SSL_CTX_set_max_proto_version(context_, wish.version_max);
  if (!wish.ciphers12.empty())
    KELVIN_CHECK(SSL_CTX_set_cipher_list(context_, wish.ciphers12.c_str()) == 1);
  ssl_ = SSL_new(context_);
  SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_fd(ssl_, fd);
  if (!wish.server_name.empty()) SSL_set_tlsext_host_name(ssl_, wish.server_name.c_str());
  std::string list;
  for (const std::string& protocol : wish.protocols)
    list += std::string(1, static_cast<char>(protocol.size())) + protocol;
  if (!list.empty())
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned>(list.size()));
  SSL_set_connect_state(ssl_);
}

TlsClient::~TlsClient() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

bool TlsClient::note(int outcome) {
  if (outcome > 0) return true;
  const int why = SSL_get_error(ssl_, outcome);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_ZERO_RETURN)
    return false;
  has_failed_ = true;
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  failure_ = reason == nullptr ? "the connection" : reason;
  return false;
}

bool TlsClient::connect_some() {
  ERR_clear_error();
  if (!is_connected_ && !has_failed_) is_connected_ = note(SSL_do_handshake(ssl_));
  return is_connected_;
}

std::string TlsClient::read_some() {
  std::string out;
  std::array<char, 32768> buffer{};
  std::size_t got = 0;
  ERR_clear_error();
  while (note(SSL_read_ex(ssl_, buffer.data(), buffer.size(), &got)))
    out.append(buffer.data(), got);
  return out;
}

std::size_t TlsClient::write_some(std::string_view bytes) {
  std::size_t total = 0;
  std::size_t sent = 0;
  ERR_clear_error();
  while (total < bytes.size() &&
         note(SSL_write_ex(ssl_, bytes.data() + total, bytes.size() - total, &sent)))
    total += sent;
  return total;
}

void TlsClient::say_goodbye() { (void)SSL_shutdown(ssl_); }

void TlsClient::ask_for_key_update() {
  KELVIN_CHECK(SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED) == 1);
  ERR_clear_error();
  (void)note(SSL_do_handshake(ssl_));
}

bool TlsClient::saw_goodbye() const {
  return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::string TlsClient::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string TlsClient::certificate_name() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return "";
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  if (names == nullptr) return "";
  const ASN1_STRING* first = sk_GENERAL_NAME_value(names, 0)->d.dNSName;
  std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(first)),
                   static_cast<std::size_t>(ASN1_STRING_length(first)));
  GENERAL_NAMES_free(names);
  return text;
}

std::string TlsClient::version() const { return SSL_get_version(ssl_); }
bool TlsClient::was_resumed() const { return SSL_session_reused(ssl_) == 1; }

void TlsClient::keep_session(TlsClient& from) {
  SSL_SESSION* session = SSL_get1_session(from.ssl_);
  KELVIN_CHECK(SSL_set_session(ssl_, session) == 1);
  SSL_SESSION_free(session);
}

StreamPair::StreamPair() {
  std::array<int, 2> ends{};
  KELVIN_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) ==
               0);
  server.reset(ends[0]);
  client.reset(ends[1]);
}

Received shake_hands(TlsStream& server, TlsClient& client) {
  std::array<char, 1024> buffer{};
  Received last;
  // A handshake takes three turns at most.
  for (int turn = 0; turn < 8; ++turn) {
    const bool is_done = client.connect_some() && server.is_established();
    if (is_done || client.has_failed() || last.io != Io::Blocked) break;
    last = server.receive(buffer);
  }
  return last;
}

}  // namespace kelvin::gateway::testbed
