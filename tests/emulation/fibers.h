// The threads of a block as fibers of one thread of the machine.
#pragma once

#include <cstdint>

// Runs a kernel over a grid. `start` is its entry point, called by every thread with `arguments`; the order in which
// threads of a block take their turns is shuffled by `seed`. Returns null, or what went wrong.
struct Launch {
    void (*start)(void**);
    void** arguments;
    uint32_t grid[3], block[3];
    uint64_t shared_bytes;
    uint64_t seed;
};

const char* run(const Launch& launch);
