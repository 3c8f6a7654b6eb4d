/* Makes it fail to bring a SQLite log to the disk, for LD_PRELOAD: the syncs from FAILING_SYNC_FROM on and before
   FAILING_SYNC_TO, counted from 0. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_log(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    return length > 4 && memcmp(path + length - 4, "-wal", 4) == 0;
}

static int failing(const char *name, int fd) {
    static int count = 0;
    if (is_log(fd)) {
        int number = count++;
        if (number >= atoi(getenv("FAILING_SYNC_FROM")) && number < atoi(getenv("FAILING_SYNC_TO"))) {
            errno = EIO;
            return -1;
        }
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return failing("fsync", fd); }
int fdatasync(int fd) { return failing("fdatasync", fd); }
