// libc's streams: what is read goes through the stream's own buffer, or, in large pieces, straight
// into the program's (read_and_recv.cpp).

#include <stdio.h>
#include <wchar.h>

#include "hooks/define_hooks.h"
#include "hooks/memory/kernel_write.h"

// By macros, because the shim itself must not call them.
#define COWSCOPE_READ_ITEMS fread
#define COWSCOPE_READ_LINE getline

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// The buffer of a stream that is about to read: older than the fork, perhaps.
class StreamRead {
  public:
    explicit StreamRead(const FILE* stream)
        : buffer_(stream->_IO_buf_base,
                  static_cast<size_t>(stream->_IO_buf_end - stream->_IO_buf_base)) {}
    ~StreamRead() { buffer_.wrote_some(); }
    StreamRead(const StreamRead&) = delete;
    StreamRead& operator=(const StreamRead&) = delete;

  private:
    const KernelWrite buffer_;
};

// Of `count` things of `size` bytes; no more than there are addresses.
size_t product(size_t size, size_t count) {
    size_t bytes = 0;
    return __builtin_mul_overflow(size, count, &bytes) ? 0 : bytes;
}

template <typename Read>
size_t read_items(void* to, size_t size, size_t count, FILE* stream, Read&& read) {
    const StreamRead through(stream);
    const KernelWrite write(to, product(size, count));
    const size_t items = read();
    write.wrote(static_cast<ssize_t>(product(size, items)));
    return items;
}

}  // namespace
}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_STREAM_READ_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED size_t COWSCOPE_READ_ITEMS(void* to, size_t size, size_t count, FILE* stream) {
    return read_items(to, size, count, stream,
                      [&] { return real::COWSCOPE_READ_ITEMS(to, size, count, stream); });
}
COWSCOPE_INTERPOSED size_t fread_unlocked(void* to, size_t size, size_t count, FILE* stream) {
    return read_items(to, size, count, stream,
                      [&] { return real::fread_unlocked(to, size, count, stream); });
}
COWSCOPE_INTERPOSED size_t __fread_chk(void* to, size_t room, size_t size, size_t count,
                                       FILE* stream) {
    return read_items(to, size, count, stream,
                      [&] { return real::__fread_chk(to, room, size, count, stream); });
}
COWSCOPE_INTERPOSED size_t __fread_unlocked_chk(void* to, size_t room, size_t size, size_t count,
                                                FILE* stream) {
    return read_items(to, size, count, stream,
                      [&] { return real::__fread_unlocked_chk(to, room, size, count, stream); });
}
COWSCOPE_INTERPOSED char* fgets(char* to, int room, FILE* stream) {
    const StreamRead through(stream);
    return real::fgets(to, room, stream);
}
COWSCOPE_INTERPOSED char* fgets_unlocked(char* to, int room, FILE* stream) {
    const StreamRead through(stream);
    return real::fgets_unlocked(to, room, stream);
}
COWSCOPE_INTERPOSED char* __fgets_chk(char* to, size_t size, int room, FILE* stream) {
    const StreamRead through(stream);
    return real::__fgets_chk(to, size, room, stream);
}
COWSCOPE_INTERPOSED char* __fgets_unlocked_chk(char* to, size_t size, int room, FILE* stream) {
    const StreamRead through(stream);
    return real::__fgets_unlocked_chk(to, size, room, stream);
}
COWSCOPE_INTERPOSED ssize_t getdelim(char** line, size_t* room, int delimiter, FILE* stream) {
    const StreamRead through(stream);
    return real::getdelim(line, room, delimiter, stream);
}
COWSCOPE_INTERPOSED ssize_t COWSCOPE_READ_LINE(char** line, size_t* room, FILE* stream) {
    return getdelim(line, room, '\n', stream);
}
