#include "tests/fuzz/fuzzer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tests/fuzz/mutations.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace cowscope::fuzz {

namespace fs = std::filesystem;

void fail(const char* what) {
    std::fprintf(stderr, "fuzz: %s\n", what);
    std::abort();
}

Folder::Folder() {
    std::string name = (fs::temp_directory_path() / "cowscope-fuzz-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) fail("cannot create a folder");
    path_ = name;
}

Folder::~Folder() {
    std::error_code error;
    fs::remove_all(path_, error);
}

void Folder::clear() const {
    for (const auto& entry : fs::directory_iterator(path_)) fs::remove(entry.path());
}

void Folder::write(const std::string& name, const std::string& bytes) const {
    const int file = open((path_ + "/" + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
        fail("cannot write an input's file");
    close(file);
}

namespace {

size_t put_back(const Files& files, uint8_t* data, size_t most) {
    const std::string input = to_input(files);
    const size_t size = std::min(input.size(), most);
    std::memcpy(data, input.data(), size);
    return size;
}

}  // namespace
}  // namespace cowscope::fuzz

using namespace cowscope::fuzz;

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
    std::mt19937_64 random(seed);
    // Now and then plain bytes, with libFuzzer's table of what the program compared with.
    if (random() % 8 == 0) return LLVMFuzzerMutate(data, size, most);
    Files files = parse(data, size);
    for (size_t left = 1 + random() % 4; left != 0; --left) mutate(&files, &random);
    return put_back(files, data, most);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data1, size_t size1,
                                            const uint8_t* data2, size_t size2, uint8_t* out,
                                            size_t most, unsigned seed) {
    std::mt19937_64 random(seed);
    Files files = parse(data1, size1);
    cross(&files, parse(data2, size2), &random);
    return put_back(files, out, most);
}
