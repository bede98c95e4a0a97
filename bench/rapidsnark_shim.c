// Android's C library, bionic, as far as rapidsnark's build for it goes, on top of glibc: see rapidsnark.py.
//
// What differs between the two is here; rapidsnark.py forwards every other symbol to glibc's of the same name. That is
// sound where both take Linux's own numbers and structures (open, mmap, fstat, errno, syscall), and where glibc's object
// fits the space that bionic's has and starts from zeros as well: on x86-64 pthread_mutex_t (40 bytes), pthread_cond_t
// (48), pthread_rwlock_t (56), pthread_attr_t (56), pthread_mutexattr_t (8, glibc 4), pthread_once_t and keys (4),
// mbstate_t (8). Masks of locales and fields of lconv agree too.
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIONIC(name) __attribute__((symver(#name "@LIBC"), used)) bionic_##name

// stdin, stdout and stderr are elements of an array there, of which only the addresses count
enum { FILE_BYTES = 152, STREAMS = 3 };
char BIONIC(__sF)[STREAMS][FILE_BYTES];

static FILE *glibc_stream(void *stream) {
    FILE *standard[STREAMS] = {stdin, stdout, stderr};
    for (int i = 0; i < STREAMS; i++)
        if (stream == bionic___sF[i]) return standard[i];
    return stream;
}

int BIONIC(fflush)(void *stream) { return fflush(glibc_stream(stream)); }
int BIONIC(fputc)(int c, void *stream) { return fputc(c, glibc_stream(stream)); }
int BIONIC(getc)(void *stream) { return getc(glibc_stream(stream)); }
int BIONIC(ungetc)(int c, void *stream) { return ungetc(c, glibc_stream(stream)); }

size_t BIONIC(fwrite)(const void *data, size_t size, size_t count, void *stream) {
    return fwrite(data, size, count, glibc_stream(stream));
}

int BIONIC(vfprintf)(void *stream, const char *format, va_list values) {
    return vfprintf(glibc_stream(stream), format, values);
}

int BIONIC(fprintf)(void *stream, const char *format, ...) {
    va_list values;
    va_start(values, format);
    int written = vfprintf(glibc_stream(stream), format, values);
    va_end(values);
    return written;
}

// settings have other numbers there; an unknown one must not get another one's value
long BIONIC(sysconf)(int name) {
    switch (name) {
    case 0x27:
    case 0x28: return sysconf(_SC_PAGESIZE);
    case 0x60: return sysconf(_SC_NPROCESSORS_CONF);
    case 0x61: return sysconf(_SC_NPROCESSORS_ONLN);
    }
    fprintf(stderr, "rapidsnark_shim: sysconf(%d) is not known\n", name);
    abort();
}

int *BIONIC(__errno)(void) { return &errno; }
int BIONIC(strerror_r)(int number, char *buffer, size_t size) { return __xpg_strerror_r(number, buffer, size); }
size_t BIONIC(__strlen_chk)(const char *string, size_t) { return strlen(string); }

char *BIONIC(__strncpy_chk2)(char *to, const char *from, size_t size, size_t room, size_t) {
    if (size > room) abort();
    return strncpy(to, from, size);
}

void BIONIC(android_set_abort_message)(const char *message) { fprintf(stderr, "%s\n", message); }

void BIONIC(__assert2)(const char *file, int line, const char *function, const char *condition) {
    fprintf(stderr, "%s:%d: %s: %s does not hold\n", file, line, function, condition);
    abort();
}
