/* Makes fsync and fdatasync of files below the folder $FAILING_BELOW fail with EIO while the file
 * $FAILING_WHILE exists. Loaded before the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int file) {
    const char *below = getenv("FAILING_BELOW");
    const char *while_exists = getenv("FAILING_WHILE");
    if (!below || !while_exists || access(while_exists, F_OK) != 0) {
        return 0;
    }
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) {
        return 0;
    }
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

int fsync(int file) {
    if (fails(file)) {
        errno = EIO;
        return -1;
    }
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return next(file);
}

int fdatasync(int file) {
    if (fails(file)) {
        errno = EIO;
        return -1;
    }
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return next(file);
}
