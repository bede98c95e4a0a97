// rapidsnark KEY.zkey WITNESS.wtns PROOF.json PUBLIC.json: a Groth16 proof by rapidsnark's library, as its own program
// makes it. Exits with 0, or 1 and a line on standard error.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// of the package's prover.h
int groth16_public_size_for_zkey_buf(const void *key, unsigned long key_bytes, size_t *public_bytes, char *error,
                                     unsigned long error_bytes);
int groth16_prover(const void *key, unsigned long key_bytes, const void *witness, unsigned long witness_bytes,
                   char *proof, unsigned long *proof_bytes, char *public, unsigned long *public_bytes, char *error,
                   unsigned long error_bytes);

static char error[1024], proof[4096];

static void fail(const char *what, const char *why) {
    fprintf(stderr, "rapidsnark: %s: %s\n", what, why);
    exit(1);
}

static const void *map(const char *path, unsigned long *bytes) {
    struct stat status;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &status) < 0) fail(path, "cannot be read");
    *bytes = status.st_size;
    const void *data = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) fail(path, "cannot be mapped");
    return data;
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file)) fail(path, "cannot be written");
}

int main(int count, char **paths) {
    if (count != 5) fail("usage", "rapidsnark KEY.zkey WITNESS.wtns PROOF.json PUBLIC.json");
    unsigned long key_bytes, witness_bytes, proof_bytes = sizeof proof, public_bytes;
    const void *key = map(paths[1], &key_bytes), *witness = map(paths[2], &witness_bytes);
    if (groth16_public_size_for_zkey_buf(key, key_bytes, &public_bytes, error, sizeof error)) fail(paths[1], error);
    char *public = malloc(public_bytes);
    if (!public) fail(paths[1], "too little memory");
    if (groth16_prover(key, key_bytes, witness, witness_bytes, proof, &proof_bytes, public, &public_bytes, error,
                       sizeof error))
        fail(paths[2], error);
    write_text(paths[3], proof);
    write_text(paths[4], public);
    return 0;
}
