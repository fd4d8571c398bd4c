// tls: the certificates of this server, and how TLS is spoken with them.
#include "gateway/tls.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cerrno>
#include <span>
#include <utility>

#include "base/check.h"
#include "gateway/tls_stream.h"
#include "os/files.h"
#include "os/system_error.h"

namespace kelvin::gateway {
namespace {

constexpr Duration kLookInterval = 1s;
constexpr Bytes kFileBytesMax = 1_MiB;

// Forward secrecy and authenticated encryption; all of them are allowed with HTTP/2 (RFC 9113, appendix A). The client's
// order counts: it knows whether it has AES in hardware, and none of these is weak.
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphers13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256:P-384";
// 112 bits: refuses RSA keys below 2048 bits and SHA-1.
constexpr int kSecurityLevel = 2;

// As ALPN writes them: each with its length in front, in the order of our preference.
constexpr std::string_view kBothProtocols = "\x02h2\x08http/1.1";
constexpr std::string_view kHttp1Only = kBothProtocols.substr(3);

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
using BioPtr = std::unique_ptr<BIO, FreeBio>;
using CertificatePtr = std::unique_ptr<X509, FreeCertificate>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeKey>;

// By which a file is known to have changed.
struct FileMark {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t bytes = -1;
  std::int64_t written_ns = 0;
  std::int64_t changed_ns = 0;
  std::uint32_t mode = 0;
  bool operator==(const FileMark&) const = default;
};

std::int64_t ns_of(const timespec& at) { return at.tv_sec * 1'000'000'000 + at.tv_nsec; }

// A file that is not there has a mark as well: the one of nothing.
FileMark mark_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {.device = found.st_dev,
          .inode = found.st_ino,
          .bytes = found.st_size,
          .written_ns = ns_of(found.st_mtim),
          .changed_ns = ns_of(found.st_ctim),
          .mode = found.st_mode};
}

struct PairMark {
  FileMark certificate;
  FileMark key;
  bool operator==(const PairMark&) const = default;
};

PairMark mark_of(const CertificateFiles& files) {
  return {.certificate = mark_of(files.certificate), .key = mark_of(files.key)};
}

tl::unexpected<Error> no_good(std::string what) {
  return fail(Code::Invalid, Blame::Host, Retry::Never, std::move(what));
}

// What OpenSSL says about the failure of the call before.
std::string library_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "OpenSSL gives no reason" : reason;
}

BioPtr reader_of(std::string_view text) {
  BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  KELVIN_CHECK(bio != nullptr);
  return bio;
}

// Without it OpenSSL would ask for the passphrase on the terminal.
int give_no_passphrase(char*, int, int, void*) { return -1; }

Result<KeyPtr> read_key(const CertificateFiles& files) {
  KELVIN_TRY(std::string text, os::read_file(files.key, kFileBytesMax));
  KeyPtr key(PEM_read_bio_PrivateKey(reader_of(text).get(), nullptr, give_no_passphrase, nullptr));
  const bool is_encrypted = text.find("ENCRYPTED") != std::string::npos;
  OPENSSL_cleanse(text.data(), text.size());
  if (key != nullptr) return key;
  ERR_clear_error();
  if (is_encrypted) return no_good(files.key + " is encrypted: store the key without a passphrase");
  return no_good(files.key + " holds no private key in PEM");
}

std::int64_t unix_seconds(const ASN1_TIME* at) {
  int days = 0;
  int seconds = 0;
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> epoch(ASN1_TIME_set(nullptr, 0),
                                                                    &ASN1_TIME_free);
  if (epoch == nullptr || ASN1_TIME_diff(&days, &seconds, epoch.get(), at) != 1) return 0;
  return std::int64_t{days} * 86'400 + seconds;
}

// The subject's own name does not count: browsers have stopped to look at it, and so does RFC 9525.
std::vector<std::string> dns_names_of(X509* certificate) {
  std::vector<std::string> found;
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    const std::string_view text(
        reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
        static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    const bool is_wildcard = text.starts_with("*.");
    const std::string plain = plain_host_name(is_wildcard ? text.substr(2) : text);
    if (!plain.empty()) found.push_back(is_wildcard ? "*." + plain : plain);
  }
  return found;
}

// A client that speaks neither of ours has come to the wrong server (RFC 7301, 3.2).
void prefer_our_protocols(SSL_CTX* context, const std::string_view* ours) {
  SSL_CTX_set_alpn_select_cb(
      context,
      [](SSL*, const unsigned char** chosen, unsigned char* chosen_size,
         const unsigned char* offered, unsigned offered_size, void* wanted) {
        const auto& list = *static_cast<const std::string_view*>(wanted);
        unsigned char* found = nullptr;
        const int outcome = SSL_select_next_proto(
            &found, chosen_size, reinterpret_cast<const unsigned char*>(list.data()),
            static_cast<unsigned>(list.size()), offered, offered_size);
        *chosen = found;
        return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
      },
      const_cast<std::string_view*>(ours));
}

int choose_certificate(SSL* ssl, int*, void*) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  SSL_set_SSL_CTX(ssl, TlsStream::snapshot_of(ssl).context_for(name == nullptr ? "" : name));
  return SSL_TLSEXT_ERR_OK;
}

std::shared_ptr<SSL_CTX> make_context(bool offers_h2) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  SSL_CTX* raw = context.get();
  KELVIN_CHECK(raw != nullptr);
  SSL_CTX_set_security_level(raw, kSecurityLevel);
  KELVIN_CHECK(SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1);
  KELVIN_CHECK(SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1);
  KELVIN_CHECK(SSL_CTX_set_cipher_list(raw, kCiphers12) == 1);
  KELVIN_CHECK(SSL_CTX_set_ciphersuites(raw, kCiphers13) == 1);
  KELVIN_CHECK(SSL_CTX_set1_groups_list(raw, kGroups) == 1);
  // The end of the connection without close_notify is told apart by the stream, which sees the FIN itself.
  SSL_CTX_set_options(
      raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Idle connections keep no buffers; a record is read with its header in one call.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(raw, 1);
  // Tickets need no cache; a cache would be a lock that all loops share.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  prefer_our_protocols(raw, offers_h2 ? &kBothProtocols : &kHttp1Only);
  SSL_CTX_set_tlsext_servername_callback(raw, choose_certificate);
  return context;
}

struct Loaded {
  std::shared_ptr<SSL_CTX> context;
  TlsCertificate certificate;
};

Status refuse_open_key(const CertificateFiles& files, const FileMark& key) {
  if (key.bytes < 0 || (key.mode & S_IRWXO) == 0) return {};
  return no_good(
      files.key +
      " is a private key that every user of this machine may use; run: chmod o= " + files.key);
}

// Takes the certificate and those behind it into the context.
Result<TlsCertificate> read_certificates(SSL_CTX* context, const CertificateFiles& files) {
  KELVIN_TRY(const std::string text, os::read_file(files.certificate, kFileBytesMax));
  const BioPtr bio = reader_of(text);
  const auto next = [&] {
    return CertificatePtr(PEM_read_bio_X509(bio.get(), nullptr, give_no_passphrase, nullptr));
  };
  const CertificatePtr first = next();
  ERR_clear_error();
  if (first == nullptr) return no_good(files.certificate + " holds no certificate in PEM");
  if (SSL_CTX_use_certificate(context, first.get()) != 1)
    return no_good(files.certificate + " cannot be used: " + library_reason());
  while (const CertificatePtr issuer = next()) {
    if (SSL_CTX_add1_chain_cert(context, issuer.get()) != 1)
      return no_good(files.certificate + " cannot be used: " + library_reason());
  }
  const unsigned long stopped = ERR_peek_last_error();
  const bool is_whole = ERR_GET_REASON(stopped) == PEM_R_NO_START_LINE;
  if (!is_whole) return no_good(files.certificate + " is damaged: " + library_reason());
  ERR_clear_error();
  return TlsCertificate{.file = files.certificate,
                        .names = dns_names_of(first.get()),
                        .valid_from_unix_s = unix_seconds(X509_get0_notBefore(first.get())),
                        .expires_unix_s = unix_seconds(X509_get0_notAfter(first.get()))};
}

Result<Loaded> load(const CertificateFiles& files, const PairMark& mark, bool offers_h2) {
  ERR_clear_error();
  KELVIN_TRY_VOID(refuse_open_key(files, mark.key));
  Loaded loaded{.context = make_context(offers_h2)};
  KELVIN_TRY(loaded.certificate, read_certificates(loaded.context.get(), files));
  KELVIN_TRY(const KeyPtr key, read_key(files));
  if (SSL_CTX_use_PrivateKey(loaded.context.get(), key.get()) != 1) {
    ERR_clear_error();
    return no_good(files.key + " is not the key of " + files.certificate);
  }
  return loaded;
}

}  // namespace

struct TlsContexts::Pair {
  Loaded loaded;
  PairMark mark;                      // of what was last loaded, or found to be no good
  std::optional<PairMark> unsettled;  // of a change that was seen at the last look
};

ssl_ctx_st* TlsSnapshot::context_for(std::string_view server_name) const {
  return contexts_.at(names_.find(server_name).value_or(0)).get();
}

TlsContexts::TlsContexts(TlsOptions options) : options_(std::move(options)) {}
TlsContexts::~TlsContexts() = default;

Result<std::unique_ptr<TlsContexts>> TlsContexts::open(TlsOptions options) {
  KELVIN_CHECK(!options.files.empty());
  std::unique_ptr<TlsContexts> contexts(new TlsContexts(std::move(options)));
  for (const CertificateFiles& files : contexts->options_.files) {
    const PairMark mark = mark_of(files);
    KELVIN_TRY(Loaded loaded, load(files, mark, contexts->options_.offers_h2));
    contexts->pairs_.push_back({.loaded = std::move(loaded), .mark = mark});
  }
  contexts->publish();
  return contexts;
}

void TlsContexts::publish() {
  const auto made = std::make_shared<TlsSnapshot>();
  for (const Pair& pair : pairs_) {
    for (const std::string& name : pair.loaded.certificate.names)
      made->names_.add(name, made->contexts_.size());
    made->contexts_.push_back(pair.loaded.context);
    made->certificates_.push_back(pair.loaded.certificate);
  }
  const std::lock_guard lock(mutex_);
  snapshot_ = made;
  generation_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const TlsSnapshot> TlsContexts::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

std::vector<TlsChange> TlsContexts::reload_if_changed(Instant now) {
  if (looked_ && now - *looked_ < kLookInterval) return {};
  looked_ = now;
  std::vector<TlsChange> changes;
  bool has_loaded = false;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    Pair& pair = pairs_[i];
    const CertificateFiles& files = options_.files[i];
    const PairMark mark = mark_of(files);
    const bool is_settled = pair.unsettled == mark;
    pair.unsettled = mark == pair.mark ? std::nullopt : std::optional(mark);
    if (!pair.unsettled || !is_settled) continue;
    pair.unsettled.reset();
    pair.mark = mark;
    Result<Loaded> loaded = load(files, mark, options_.offers_h2);
    has_loaded = has_loaded || loaded.has_value();
    changes.push_back({.is_loaded = loaded.has_value(),
                       .file = files.certificate,
                       .why = loaded ? std::string() : loaded.error().what});
    if (loaded) pair.loaded = *std::move(loaded);
  }
  if (has_loaded) publish();
  return changes;
}

const std::shared_ptr<const TlsSnapshot>& TlsView::current() {
  const std::uint64_t generation = contexts_.generation();
  if (generation != generation_) {
    seen_ = contexts_.snapshot();
    generation_ = generation;
  }
  return seen_;
}

}  // namespace kelvin::gateway
