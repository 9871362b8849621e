#include "tests/fuzz/fuzzer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/printable.h"

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
    for (const auto& entry : fs::directory_iterator(path_)) fs::remove_all(entry.path());
}

void Folder::write(const std::string& name, const std::string& bytes) const {
    const int file = open((path_ + "/" + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
        fail("cannot write an input's file");
    close(file);
}

bool is_plain(std::string_view text) {
    return printable(text, LineBreaks::stay) == text && text.find('\t') == text.npos;
}

}  // namespace cowscope::fuzz
