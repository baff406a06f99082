/* Sets the wall clock of a process by MOVED_CLOCK_SECONDS. See moved_clock.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef long (*Syscall)(long, ...);

static time_t moved(void) {
  const char *seconds = getenv("MOVED_CLOCK_SECONDS");
  return seconds ? atol(seconds) : 0;
}

static Syscall kernel(void) {
  static Syscall found;
  return found ? found : (found = (Syscall)dlsym(RTLD_NEXT, "syscall"));
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)kernel()(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += moved();
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec found;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &found);
  now->tv_sec = found.tv_sec;
  now->tv_usec = found.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *result) {
  struct timespec found;
  clock_gettime(CLOCK_REALTIME, &found);
  if (result) *result = found.tv_sec;
  return found.tv_sec;
}

/* gRPC waits so until a moment of the wall clock, which the kernel reads from the machine's. */
long syscall(long number, ...) {
  long given[6];
  struct timespec until;
  va_list list;
  va_start(list, number);
  for (int index = 0; index < 6; index++) given[index] = va_arg(list, long);
  va_end(list);
  if (number == SYS_futex && (given[1] & FUTEX_CLOCK_REALTIME) && given[3]) {
    until = *(struct timespec *)given[3];
    until.tv_sec -= moved();
    given[3] = (long)&until;
  }
  return kernel()(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
