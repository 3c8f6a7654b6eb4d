/* Makes the disk under the folder FULL_FOLDER full while there is the file FULL_WHILE, for LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_full(int fd) {
    char link[64], path[PATH_MAX];
    const char *folder = getenv("FULL_FOLDER");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    size_t prefix = strlen(folder);
    return length > (ssize_t)prefix && memcmp(path, folder, prefix) == 0 && access(getenv("FULL_WHILE"), F_OK) == 0;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    static ssize_t (*next)(int, const void *, size_t);
    if (!next) next = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return next(fd, bytes, count);
}
