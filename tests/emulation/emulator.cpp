// A device in a process of its own: commands on standard input, answers on standard output. Device memory is this
// process' heap, so the address sanitizer sees every access past the end of an allocation.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "fibers.h"

namespace {

constexpr size_t ALIGNMENT = 256;
constexpr int RUBBISH = 0xa5;  // what memory holds before anyone writes it

template <class T>
T take() {
    T value;
    if (fread(&value, sizeof value, 1, stdin) != 1) exit(0);
    return value;
}

std::string take_text() {
    std::string text(take<uint64_t>(), '\0');
    if (!text.empty() && fread(text.data(), text.size(), 1, stdin) != 1) exit(0);
    return text;
}

template <class T>
void give(T value) {
    fwrite(&value, sizeof value, 1, stdout);
}

void give_text(const char* text) {
    give<uint64_t>(text ? strlen(text) : 0);
    if (text) fwrite(text, strlen(text), 1, stdout);
}

void* checked(void* pointer, const char* what) {
    if (!pointer) {
        fprintf(stderr, "emulator: %s\n", what);
        exit(3);
    }
    return pointer;
}

void allocate() {
    uint64_t bytes = take<uint64_t>();
    void* at = nullptr;
    if (posix_memalign(&at, ALIGNMENT, bytes)) at = nullptr;
    if (at) memset(at, RUBBISH, bytes);
    give<uint64_t>(reinterpret_cast<uint64_t>(at));
}

void write_memory() {
    char* at = take<char*>();
    uint64_t bytes = take<uint64_t>();
    std::vector<char> data(bytes);
    if (bytes && fread(data.data(), bytes, 1, stdin) != 1) exit(0);
    memcpy(at, data.data(), bytes);
}

void fill_with_rubbish() {
    char* at = take<char*>();
    memset(at, RUBBISH, take<uint64_t>());
}

void read_memory() {
    char* at = take<char*>();
    uint64_t bytes = take<uint64_t>();
    std::vector<char> data(at, at + bytes);
    fwrite(data.data(), 1, bytes, stdout);
}

void load_module() {
    void* handle = dlopen(take_text().c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) fprintf(stderr, "%s\n", dlerror());
    give<void*>(handle);
}

void find_kernel() {
    void* module = take<void*>();
    give<void*>(dlsym(module, ("zk_start_" + take_text()).c_str()));
}

void launch_kernel() {
    Launch launch{};
    launch.start = reinterpret_cast<void (*)(void**)>(checked(take<void*>(), "no such kernel"));
    for (uint32_t& extent : launch.grid) extent = take<uint32_t>();
    for (uint32_t& extent : launch.block) extent = take<uint32_t>();
    launch.shared_bytes = take<uint64_t>();
    launch.seed = take<uint64_t>();
    std::vector<uint64_t> values(take<uint64_t>());
    for (uint64_t& value : values) value = take<uint64_t>();
    std::vector<void*> arguments;
    for (uint64_t& value : values) arguments.push_back(&value);
    launch.arguments = arguments.data();
    give_text(run(launch));
}

}  // namespace

int main() {
    for (;;) {
        switch (take<char>()) {
            case 'a': allocate(); break;
            case 'f': free(take<void*>()); break;
            case 'w': write_memory(); break;
            case 'p': fill_with_rubbish(); break;
            case 'r': read_memory(); break;
            case 'm': load_module(); break;
            case 'k': find_kernel(); break;
            case 'l': launch_kernel(); break;
            default: return 2;
        }
        fflush(stdout);
    }
}
