// A library that calls Android's C library as rapidsnark's does: the proof tells of the machine, the public values are
// the witness. See test_rapidsnark.py.
typedef unsigned long size_t;
#define ANDROIDS(name) __asm__(".symver " #name "," #name "@LIBC")

extern char __sF[3][152];
int fprintf(void *stream, const char *format, ...);
void *memcpy(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);
int snprintf(char *buffer, size_t size, const char *format, ...);
int strerror_r(int number, char *buffer, size_t size);
long sysconf(int name);
int *__errno(void);
ANDROIDS(__sF);
ANDROIDS(fprintf);
ANDROIDS(memcpy);
ANDROIDS(memcmp);
ANDROIDS(snprintf);
ANDROIDS(strerror_r);
ANDROIDS(sysconf);
ANDROIDS(__errno);

enum { NO_SETTING = 1, PAGE_SIZE = 0x28, CORES = 0x61, INVALID = 22 };

int groth16_public_size_for_zkey_buf(const void *key, size_t key_bytes, size_t *public_bytes, char *error, size_t size) {
    *public_bytes = 4096;
    return 0;
}

int groth16_prover(const void *key, size_t key_bytes, const void *witness, size_t witness_bytes, char *proof,
                   size_t *proof_bytes, char *public, size_t *public_bytes, char *error, size_t error_bytes) {
    fprintf(__sF[2], "%s\n", "on standard error");
    if (!memcmp(witness, "unknown", 7)) sysconf(NO_SETTING);
    if (!memcmp(witness, "invalid", 7)) {
        *__errno() = INVALID;
        strerror_r(*__errno(), error, error_bytes);
        return 1;
    }
    snprintf(proof, *proof_bytes, "{\"cores\": %ld, \"page\": %ld, \"share\": %.2f}", sysconf(CORES), sysconf(PAGE_SIZE), 0.25);
    memcpy(public, witness, witness_bytes);
    public[witness_bytes] = 0;
    return 0;
}
