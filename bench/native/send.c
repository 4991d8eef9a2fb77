/* The limit that the kernel sets: one loop over send(2).

   usage: send HEAD BEFORE AFTER      (in hex)
   Answers every connection with HEAD. Each stamp on stdin is sent to all of them, between BEFORE and AFTER. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAMP 33
#define MOST 65536

static int clients[MOST], answered[MOST], watching, epoll_fd;
static char *part[3];
static size_t size[3];

static char *unhex(const char *hex, size_t *length) {
  *length = strlen(hex) / 2;
  char *data = malloc(*length + 1);
  for (size_t i = 0; i < *length; i++) sscanf(hex + 2 * i, "%2hhx", (unsigned char *)data + i);
  return data;
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void send_all(int fd, const char *data, size_t left) {
  while (left) {
    ssize_t sent = send(fd, data, left, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) {
      struct pollfd full = {.fd = fd, .events = POLLOUT};
      poll(&full, 1, 1000);
      continue;
    }
    if (sent < 0) return; /* gone; its descriptor says so, too */
    data += sent;
    left -= sent;
  }
}

static void welcome(int listener) {
  int yes = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  watch(fd);
}

static void hear(int fd) {
  static char heard[65536];
  ssize_t got = recv(fd, heard, sizeof heard, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN)) {
    for (int i = 0; i < watching; i++)
      if (clients[i] == fd) clients[i--] = clients[--watching];
    answered[fd] = 0;
    close(fd);
  } else if (!answered[fd] && watching < MOST) {
    answered[fd] = 1;
    send_all(fd, part[0], size[0]);
    clients[watching++] = fd;
  }
}

static void broadcast(const char *stamp) {
  static char frame[65536];
  size_t whole = size[1] + STAMP + size[2];
  memcpy(frame, part[1], size[1]);
  memcpy(frame + size[1], stamp, STAMP);
  memcpy(frame + size[1] + STAMP, part[2], size[2]);
  for (int i = 0; i < watching; i++) send_all(clients[i], frame, whole);
}

static void told(void) {
  char stamps[4096];
  ssize_t got = read(0, stamps, sizeof stamps);
  if (got <= 0) exit(0);
  for (char *at = stamps; at + STAMP < stamps + got; at += STAMP + 1) broadcast(at);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  for (int i = 0; i < 3; i++) part[i] = unhex(argv[i + 1], &size[i]);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 2048)) return 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  epoll_fd = epoll_create1(0);
  watch(listener);
  watch(0);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    struct epoll_event ready[256];
    int n = epoll_wait(epoll_fd, ready, 256, -1);
    for (int i = 0; i < n; i++) {
      if (ready[i].data.fd == 0) told();
      else if (ready[i].data.fd == listener) welcome(listener);
      else hear(ready[i].data.fd);
    }
  }
}
