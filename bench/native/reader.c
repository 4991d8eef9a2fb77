/* The watchers of a bench: opens COUNT connections to 127.0.0.1:PORT, has stamps published, and counts what arrives.

   usage: reader PORT COUNT STALLED KIND REQUEST HELLO CONTROL BEFORE AFTER
     STALLED   so many of them read nothing once they are open
     KIND      sse, websocket or socketio
     REQUEST   what opens a connection, HELLO what is said once it is open; in hex, as are BEFORE and AFTER
     CONTROL   descriptor on which BEFORE, a stamp and AFTER make the server send a frame with that stamp to all

   stdin:  warm             publish until a frame has reached everyone
           go SECONDS RATE  publish for so long: RATE times a second, or, if that is 0, when the last frame has reached all
           count SECONDS    only count
           more SECONDS     go on to count
   stdout: one line of JSON for each, and one before, when all are open. ../reader_epoll.py is the same in Python.

   A frame is whole if it ends as it should; none is lost if the stamps of a connection count up by one. A stamp is
   @NNNNNNNNNN.TTTTTTTTTTTTTTTTTTTT@, a number and nanoseconds of CLOCK_MONOTONIC; either may be 0, for "does not count". */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RAW (256 * 1024)
#define KEPT (1024 * 1024)
#define STAMP 33
#define IN_FLIGHT 200 /* connections being opened: below the backlog of every server */
#define PER_ADDRESS 10000 /* connections from one source address: below the number of ephemeral ports */
#define PATIENCE 20.0
#define SAMPLES (8 * 1024 * 1024)

enum kind { SSE, WEBSOCKET, SOCKETIO };
enum state { CONNECTING, HEAD, GREETING, OPEN, CLOSED };
enum chunk { SIZE, SIZE_END, DATA, DATA_CR, DATA_LF };

struct watcher {
  int fd;
  uint8_t state, chunked, chunk, stalled;
  uint32_t chunk_left, number, kept;
  char *keep; /* the beginning of a frame, or of a head */
};

static struct { char *data; size_t size; } request, hello, before, after;
static enum kind kind;
static struct watcher *watchers;
static int count, port, control, epoll_fd;
static int begun, opened, reading, arrived, stalled;
static uint32_t number;
static uint64_t frames, lost, cut, closed, sampled;
static uint32_t *samples; /* microseconds */
static char raw[RAW], body[RAW + KEPT];

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static double now(void) { return nanoseconds() / 1e9; }

static void fail(const char *what, const char *why) {
  printf("{\"error\":\"%s: %s (%d of %d connections are open)\"}\n", what, why, opened, count);
  exit(1);
}

static char *unhex(const char *hex, size_t *size) {
  *size = strlen(hex) / 2;
  char *data = malloc(*size + 1);
  for (size_t i = 0; i < *size; i++) sscanf(hex + 2 * i, "%2hhx", (unsigned char *)data + i);
  return data;
}

static void say(struct watcher *w, const char *data, size_t size) {
  if (send(w->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) fail("send", strerror(errno));
}

static void open_next(void) {
  struct watcher *w = &watchers[begun];
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002 + begun / PER_ADDRESS)};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int yes = 1, little = 4096;
  struct linger reset = {1, 0}; /* no port is kept waiting after the end */
  w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (w->fd < 0) fail("socket", strerror(errno));
  w->stalled = begun < stalled;
  if (w->stalled) setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
  setsockopt(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (bind(w->fd, (struct sockaddr *)&from, sizeof from) < 0) fail("bind", strerror(errno));
  if (connect(w->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) fail("connect", strerror(errno));
  struct epoll_event event = {.events = EPOLLOUT, .data.u32 = begun++};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, w->fd, &event);
}

static void listen_to(struct watcher *w) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = w - watchers};
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) fail("connect", strerror(error));
  say(w, request.data, request.size);
  w->state = HEAD;
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, w->fd, &event);
}

static void is_open(struct watcher *w) {
  w->state = OPEN;
  opened++;
  if (w->stalled) epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
  else reading++;
}

static void is_closed(struct watcher *w) {
  if (w->state != OPEN) fail("open", "the server closed a connection");
  if (number && w->number == number) arrived--;
  w->state = CLOSED;
  closed++;
  reading--;
  close(w->fd);
}

static void frame(struct watcher *w, const char *data, size_t size) {
  const char *stamp = memchr(data, '@', size);
  if (w->state == GREETING) {
    if (size >= 2 && !memcmp(data, "40", 2)) is_open(w);
    return;
  }
  if (stamp == NULL) return; /* a sign of life */
  char last = data[size - 1];
  if (data + size - stamp < STAMP || stamp[STAMP - 1] != '@' || (last != '}' && last != ']')) {
    cut++;
    return;
  }
  frames++;
  uint32_t found = strtoul(stamp + 1, NULL, 10);
  uint64_t sent = strtoull(stamp + 12, NULL, 10);
  if (found) {
    if (w->number && found > w->number + 1) lost += found - w->number - 1;
    if (w->number && found <= w->number) cut++;
    w->number = found;
    if (found == number) arrived++;
  }
  if (sent && sampled < SAMPLES) samples[sampled++] = (nanoseconds() - sent) / 1000;
}

/* Lines of an event stream; returns how much of it was whole. */
static size_t events(struct watcher *w, char *data, size_t size) {
  char *line = data, *end;
  while ((end = memchr(line, '\n', data + size - line)) != NULL) {
    size_t length = end - line;
    if (length && line[length - 1] == '\r') length--;
    if (length > 6 && !memcmp(line, "data:", 5)) frame(w, line + 5, length - 5);
    line = end + 1;
  }
  return line - data;
}

static void control_message(struct watcher *w, int opcode, char *data, size_t size) {
  char pong[6 + 125] = {(char)0x8a, (char)(0x80 | size), 0, 0, 0, 0}, three[] = "\x81\x81\0\0\0\0003";
  if (opcode == 9 && size <= 125) {
    memcpy(pong + 6, data, size);
    say(w, pong, 6 + size);
  } else if (opcode == 1) {
    say(w, three, 7); /* engine.io has pings of its own */
  }
}

/* RFC 6455, section 5.2; a server does not mask. */
static size_t messages(struct watcher *w, char *data, size_t size) {
  size_t at = 0;
  while (size - at >= 2) {
    unsigned char *head = (unsigned char *)data + at;
    size_t skip = 2, length = head[1] & 127;
    int opcode = head[0] & 15;
    if (length == 126) skip = 4;
    if (length == 127) skip = 10;
    if (size - at < skip) break;
    if (skip > 2) length = 0;
    for (size_t i = 2; i < skip; i++) length = length << 8 | head[i];
    if (size - at < skip + length) break;
    char *payload = data + at + skip;
    at += skip + length;
    if (opcode == 9 || (kind == SOCKETIO && length == 1 && *payload == '2')) control_message(w, opcode, payload, length);
    else if (opcode == 1 || opcode == 2) frame(w, payload, length);
    else if (opcode == 0) cut++;
  }
  return at;
}

/* RFC 9112, section 7.1; returns how many bytes of content went to `to`. */
static size_t unchunked(struct watcher *w, const char *from, size_t size, char *to) {
  char *start = to;
  for (const char *end = from + size; from < end;) {
    if (w->chunk == DATA) {
      size_t part = (size_t)(end - from) < w->chunk_left ? (size_t)(end - from) : w->chunk_left;
      memcpy(to, from, part);
      to += part;
      from += part;
      if ((w->chunk_left -= part) == 0) w->chunk = DATA_CR;
      continue;
    }
    char c = *from++;
    if (w->chunk == DATA_CR) w->chunk = DATA_LF;
    else if (w->chunk == DATA_LF) w->chunk = SIZE, w->chunk_left = 0;
    else if (w->chunk == SIZE_END) w->chunk = DATA;
    else if (c == '\r') w->chunk = SIZE_END;
    else w->chunk_left = w->chunk_left * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
  }
  return to - start;
}

static void keep(struct watcher *w, const char *data, size_t size) {
  if (size > KEPT) fail("read", "a frame does not end");
  if (size) memcpy(w->keep = realloc(w->keep, size), data, size);
  w->kept = size;
}

/* What has come of the head, in `body`; returns where the rest begins, or 0 as long as it is not whole. */
static size_t head(struct watcher *w, size_t size) {
  char *end = memmem(body, size, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  *end = 0;
  if (strncmp(body, kind == SSE ? "HTTP/1.1 200" : "HTTP/1.1 101", 12)) {
    body[12 + strcspn(body + 12, "\r\n\"")] = 0;
    fail("answered", body);
  }
  w->chunked = strcasestr(body, "\r\ntransfer-encoding: chunked") != NULL;
  if (hello.size) say(w, hello.data, hello.size);
  if (kind == SOCKETIO) w->state = GREETING;
  else is_open(w);
  return end + 4 - body;
}

static void readable(struct watcher *w) {
  ssize_t got = recv(w->fd, raw, RAW, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return is_closed(w);
  char *from = raw;
  size_t size = w->kept;
  memcpy(body, w->keep, size);
  if (w->state == HEAD) {
    memcpy(body + size, raw, got);
    size_t begin = head(w, size + got);
    if (!begin) return keep(w, body, size + got);
    from += begin - size, got -= begin - size, size = 0;
  }
  if (w->chunked) size += unchunked(w, from, got, body + size);
  else memcpy(body + size, from, got), size += got;
  size_t done = kind == SSE ? events(w, body, size) : messages(w, body, size);
  keep(w, body + done, size - done);
}

/* To what was published; a pipe has none, and tells only of its end. */
static void hear_answers(void) {
  if (read(control, raw, RAW) <= 0) epoll_ctl(epoll_fd, EPOLL_CTL_DEL, control, NULL);
}

/* Returns true when stdin has something. */
static int turn(int milliseconds) {
  struct epoll_event ready[512];
  int told = 0, n = epoll_wait(epoll_fd, ready, 512, milliseconds);
  for (int i = 0; i < n; i++) {
    uint32_t who = ready[i].data.u32;
    if (who == UINT32_MAX) told = 1;
    else if (who == UINT32_MAX - 1) hear_answers();
    else if (watchers[who].state == CONNECTING) listen_to(&watchers[who]);
    else if (watchers[who].state != CLOSED) readable(&watchers[who]);
  }
  return told;
}

static void publish(void) {
  static char message[64 * 1024];
  arrived = 0;
  memcpy(message, before.data, before.size);
  sprintf(message + before.size, "@%010u.%020llu@", ++number, (unsigned long long)nanoseconds());
  memcpy(message + before.size + STAMP, after.data, after.size);
  if (write(control, message, before.size + STAMP + after.size) < 0) fail("publish", strerror(errno));
}

static int all_have_it(double deadline) {
  while (arrived < reading && now() < deadline) turn(20);
  return arrived >= reading;
}

static void reset(void) { frames = lost = cut = closed = sampled = 0; }

static int ascending(const void *a, const void *b) {
  uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b;
  return (x > y) - (x < y);
}

static double quantile(double q) { return sampled ? samples[(size_t)(q * (sampled - 1))] / 1e6 : 0; }

static void report(double seconds, int publishes, int complete) {
  int unread = 0, least = -1;
  for (int i = 0; i < stalled; i++) {
    if (ioctl(watchers[i].fd, FIONREAD, &unread) == 0 && (least < 0 || unread < least)) least = unread;
  }
  qsort(samples, sampled, sizeof *samples, ascending);
  printf("{\"frames\":%llu,\"seconds\":%.6f,\"publishes\":%d,\"lost\":%llu,\"cut\":%llu,\"closed\":%llu,\"samples\":%llu,"
         "\"p50\":%.6f,\"p99\":%.6f,\"max\":%.6f,\"complete\":%s,\"unread\":%d}\n",
         (unsigned long long)frames, seconds, publishes, (unsigned long long)lost, (unsigned long long)cut,
         (unsigned long long)closed, (unsigned long long)sampled, quantile(0.5), quantile(0.99), quantile(1),
         complete ? "true" : "false", least);
}

static void warm(void) {
  double begin = now();
  for (int tries = 1; tries <= 5; tries++) {
    publish();
    if (all_have_it(now() + PATIENCE / 5)) return report(now() - begin, tries, 1);
  }
  report(now() - begin, 5, 0);
}

static void go(double seconds, double rate) {
  int publishes = 0, complete = 1;
  double begin = now(), due = begin;
  while (now() < begin + seconds && complete && reading) {
    publish();
    publishes++;
    if (rate > 0) {
      due += 1 / rate;
      for (double left; (left = due - now()) > 0;) turn(left * 1000 < 1 ? 0 : (int)(left * 1000));
    } else {
      complete = all_have_it(now() + PATIENCE);
    }
  }
  if (rate > 0) complete = all_have_it(now() + PATIENCE);
  report(now() - begin, publishes, complete);
}

static void only_count(double seconds) {
  double begin = now();
  for (double left; (left = begin + seconds - now()) > 0;) turn((int)(left * 1000) + 1);
  report(now() - begin, 0, 1);
}

static void obey(void) {
  static char line[256];
  double seconds = 0, rate = 0;
  ssize_t size = read(0, line, sizeof line - 1);
  if (size <= 0) exit(0);
  line[size] = 0;
  if (sscanf(line, "more %lf", &seconds) == 1) return only_count(seconds);
  reset();
  if (!strncmp(line, "warm", 4)) warm();
  else if (sscanf(line, "go %lf %lf", &seconds, &rate) == 2) go(seconds, rate);
  else if (sscanf(line, "count %lf", &seconds) == 1) only_count(seconds);
}

int main(int argc, char **argv) {
  if (argc != 10) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  port = atoi(argv[1]), count = atoi(argv[2]), stalled = atoi(argv[3]), control = atoi(argv[7]);
  kind = !strcmp(argv[4], "sse") ? SSE : !strcmp(argv[4], "websocket") ? WEBSOCKET : SOCKETIO;
  request.data = unhex(argv[5], &request.size), hello.data = unhex(argv[6], &hello.size);
  before.data = unhex(argv[8], &before.size), after.data = unhex(argv[9], &after.size);
  watchers = calloc(count, sizeof *watchers);
  samples = malloc(SAMPLES * sizeof *samples);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event told = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
  struct epoll_event answers = {.events = EPOLLIN, .data.u32 = UINT32_MAX - 1};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, control, &answers);
  signal(SIGPIPE, SIG_IGN); /* a server that has ended is told of as an error */
  double begin = now(), moved = begin;
  for (int last = 0; opened < count;) {
    while (begun < count && begun - opened < IN_FLIGHT) open_next();
    turn(20);
    if (opened > last) last = opened, moved = now();
    if (now() > moved + PATIENCE) fail("open", "nothing moves");
  }
  printf("{\"connected\":%d,\"seconds\":%.6f}\n", opened, now() - begin);
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &told);
  for (;;)
    if (turn(-1)) obey();
}
