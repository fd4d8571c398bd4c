// tls: the certificates of this server, and how TLS is spoken with them.
//
// TLS 1.2 and 1.3, ciphers with forward secrecy and authenticated encryption only, no renegotiation, no compression, no
// early data. Sessions are resumed by tickets alone, so that loops share no cache. A client that names a server in its
// hello gets the certificate for that name, every other the first one. Why so: docs/adr/0014-tls.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "gateway/certificate_names.h"

struct ssl_ctx_st;

namespace kelvin::gateway {

// Two files in PEM: the certificate with those that lead from it to its root, and its private key.
struct CertificateFiles {
  std::string certificate;
  std::string key;
};

struct TlsOptions {
  std::vector<CertificateFiles>
      files;              // at least one; the first is for clients that name no known server
  bool offers_h2 = true;  // beside http/1.1, and before it
};

struct TlsCertificate {
  std::string file;
  std::vector<std::string>
      names;  // DNS names it answers for, lower case: "box.example.com", "*.example.com"
  std::int64_t valid_from_unix_s = 0;
  std::int64_t expires_unix_s = 0;
};

// Immutable; shared by all loops, and by every connection that began while it was in force.
class TlsSnapshot {
 public:
  const std::vector<TlsCertificate>& certificates() const { return certificates_; }
  // For a client that asks for `server_name`; the first one where that is empty or unknown.
  ssl_ctx_st* context_for(std::string_view server_name) const;

 private:
  friend class TlsContexts;
  std::vector<std::shared_ptr<ssl_ctx_st>> contexts_;  // one per certificate
  std::vector<TlsCertificate> certificates_;
  CertificateNames names_;
};

// What reload_if_changed has done about one certificate.
struct TlsChange {
  bool is_loaded =
      false;         // false: its files are no good, and the certificate from before stays in force
  std::string file;  // of the certificate
  std::string why;   // a sentence, when it is not loaded
};

class TlsContexts {
 public:
  // Fails with the name of the file and what is wrong: it cannot be read, holds no PEM, key and certificate do not belong
  // together, the key is encrypted, or users other than its owner and group may read it.
  static Result<std::unique_ptr<TlsContexts>> open(TlsOptions options);
  ~TlsContexts();
  TlsContexts(const TlsContexts&) = delete;
  TlsContexts& operator=(const TlsContexts&) = delete;

  // Any thread. A loop keeps what it got until generation() changes, which costs no lock.
  std::shared_ptr<const TlsSnapshot> snapshot() const;
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  // One thread: looks at the files, at most once a second. Files that have changed and then stood still from one look to
  // the next are loaded, so that a certificate and a key that are written one after the other are taken together. Says
  // each outcome once; connections that are open keep the certificate they began with.
  [[nodiscard]] std::vector<TlsChange> reload_if_changed(Instant now);

 private:
  struct Pair;
  explicit TlsContexts(TlsOptions options);
  void publish();

  TlsOptions options_;
  std::vector<Pair> pairs_;
  std::optional<Instant> looked_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsSnapshot> snapshot_;  // guarded by mutex_
  std::atomic<std::uint64_t> generation_{0};
};

// A loop's own view of the snapshot in force.
class TlsView {
 public:
  // `contexts` outlives it.
  explicit TlsView(const TlsContexts& contexts) : contexts_(contexts) {}
  const std::shared_ptr<const TlsSnapshot>& current();

 private:
  const TlsContexts& contexts_;
  std::uint64_t generation_ = 0;
  std::shared_ptr<const TlsSnapshot> seen_;
};

}  // namespace kelvin::gateway
