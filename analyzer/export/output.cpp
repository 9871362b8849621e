#include "export/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"

namespace cowscope::exports {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

}  // namespace

Output::Output(const std::string& path) : name_(path), path_(path) {
    // A file size limit is an error like a full disk.
    std::signal(SIGXFSZ, SIG_IGN);
    if (path == "-") {
        name_ = "standard output";
        file_ = FileDescriptor(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
        if (!file_.is_open()) fail(errno);
        return;
    }
    // A link stays, and what it names is replaced.
    std::error_code error;
    const auto target = std::filesystem::canonical(path, error);
    if (!error) path_ = target.string();
    struct stat status {};
    const bool is_there = stat(path_.c_str(), &status) == 0;
    if (is_there && S_ISDIR(status.st_mode)) fail(EISDIR);
    if (is_there && !S_ISREG(status.st_mode)) {
        file_ = FileDescriptor(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    } else {
        if (is_there && access(path_.c_str(), W_OK) != 0) fail(errno);
        unfinished_ = fmt::format("{}.{}.tmp", path_, getpid());
        file_ = FileDescriptor(
            open(unfinished_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!file_.is_open()) unfinished_.clear();
    }
    if (!file_.is_open()) fail(errno);
}

Output::~Output() {
    if (!unfinished_.empty()) unlink(unfinished_.c_str());
}

bool Output::is_terminal() const {
    return isatty(file_.get()) != 0;
}

void Output::write(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() >= kBufferBytes) flush();
}

void Output::flush() {
    std::string_view left = buffer_;
    while (!left.empty()) {
        const ssize_t count = ::write(file_.get(), left.data(), left.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(errno);
        left.remove_prefix(static_cast<size_t>(count));
    }
    buffer_.clear();
}

void Output::finish() {
    flush();
    // Some file systems say only now that they are full.
    if (close(file_.release()) != 0) fail(errno);
    if (unfinished_.empty()) return;
    if (std::rename(unfinished_.c_str(), path_.c_str()) != 0) fail(errno);
    unfinished_.clear();
}

void Output::fail(int error) const {
    const std::string shown = path_ == "-" ? name_ : "'" + name_ + "'";
    throw Error(fmt::format("cannot write to {}: {}", shown, std::strerror(error)));
}

}  // namespace cowscope::exports
