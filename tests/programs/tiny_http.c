// tiny_http: the smallest web server worth waiting for. Answers "ok\n" to every request on 127.0.0.1:$PORT, with
// keep-alive and pipelining, one epoll loop, no libraries. Benches and tests deploy it to time the platform alone.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kConnectionsMax = 65536, kEvents = 64 };

// Bytes of a request's end seen so far: a head ends with "\r\n\r\n", and bodies are not read by this server, whose
// requests have none.
static uint8_t seen_of[kConnectionsMax];

static const char kReply[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 3\r\n"
    "\r\n"
    "ok\n";

static int listen_on(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || bind(fd, (const struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 1024) != 0) {
    perror("tiny_http: listen");
    exit(1);
  }
  return fd;
}

static void watch(int epoll, int fd) {
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int epoll, int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    const int on = 1;
    if (fd >= kConnectionsMax) {
      close(fd);
      continue;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    seen_of[fd] = 0;
    watch(epoll, fd);
  }
}

// Answers every head that ends in what came. A client that does not read its replies is cut off.
static void serve(int fd) {
  static const char kEnd[] = "\r\n\r\n";
  char bytes[16384];
  const ssize_t got = read(fd, bytes, sizeof bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    close(fd);
    return;
  }
  uint8_t seen = seen_of[fd];
  for (ssize_t i = 0; i < got; ++i) {
    seen = bytes[i] == kEnd[seen] ? (uint8_t)(seen + 1) : (uint8_t)(bytes[i] == '\r');
    if (seen < 4) continue;
    seen = 0;
    if (write(fd, kReply, sizeof kReply - 1) != (ssize_t)(sizeof kReply - 1)) {
      close(fd);
      return;
    }
  }
  seen_of[fd] = seen;
}

int main(void) {
  const char* port = getenv("PORT");
  struct epoll_event events[kEvents];
  if (port == NULL) {
    fputs("tiny_http: PORT is not set\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  const int listener = listen_on(atoi(port));
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener);
  for (;;) {
    const int count = epoll_wait(epoll, events, kEvents, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == listener) {
        accept_all(epoll, listener);
      } else {
        serve(events[i].data.fd);
      }
    }
  }
}
