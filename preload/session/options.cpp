#include "session/options.h"

#include <cstring>

#include "format/aggregate_format.h"
#include "support/syscall.h"

#include "support/poison.h"

namespace cowscope::session {
namespace {

constexpr char kTooLong[] = "COWSCOPE_OUTPUT is too long";

const char* value_of(char** environment, const char* name) {
    const size_t length = std::strlen(name);
    for (char** entry = environment; *entry != nullptr; ++entry) {
        if (std::strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') {
            return *entry + length + 1;
        }
    }
    return nullptr;
}

bool read_link(const char* path, char* target, size_t capacity) {
    const long length = sys::syscall4(SYS_readlinkat, AT_FDCWD, sys::word(path), sys::word(target),
                                      static_cast<long>(capacity - 1));
    if (sys::failed(length)) return false;
    target[length] = '\0';
    return true;
}

// cowscope.PROG.PID.cow, as `cowscope record` names it.
void add_default_folder_name(pid_t pid, FixedText<PATH_MAX>* folder) {
    char executable[PATH_MAX];
    const char* name = "program";
    if (read_link("/proc/self/exe", executable, sizeof(executable))) {
        const char* slash = std::strrchr(executable, '/');
        name = slash == nullptr ? executable : slash + 1;
    }
    folder->add("cowscope.").add(name).add(".").add_decimal(static_cast<uint64_t>(pid)).add(".cow");
}

bool add_working_folder(FixedText<PATH_MAX>* folder) {
    char path[PATH_MAX];
    const long bytes = sys::syscall2(SYS_getcwd, sys::word(path), sizeof(path));
    if (sys::failed(bytes) || path[0] != '/') return false;
    folder->add(path).add("/");
    return true;
}

}  // namespace

const char* read_options(char** environment, Options* options) {
    if (const char* text = value_of(environment, "COWSCOPE_TRACKER")) {
        if (same_text(text, "auto")) {
            options->tracker = TrackerChoice::automatic;
        } else if (same_text(text, "userfaultfd")) {
            options->tracker = TrackerChoice::userfaultfd;
        } else if (same_text(text, "soft-dirty")) {
            options->tracker = TrackerChoice::soft_dirty;
        } else if (same_text(text, "off")) {
            options->tracker = TrackerChoice::off;
        } else {
            return "COWSCOPE_TRACKER is none of auto, userfaultfd, soft-dirty, off";
        }
    }
    if (const char* text = value_of(environment, "COWSCOPE_WITNESS")) {
        if (same_text(text, "auto")) {
            options->witness = WitnessChoice::automatic;
        } else if (same_text(text, "trap")) {
            options->witness = WitnessChoice::trap;
        } else if (same_text(text, "off")) {
            options->witness = WitnessChoice::off;
        } else {
            return "COWSCOPE_WITNESS is none of auto, trap, off";
        }
    }
    if (const char* text = value_of(environment, "COWSCOPE_SAMPLE")) {
        uint64_t sample = 0;
        if (!same_text(text, "auto") &&
            (!parse_decimal(text, 1'000'000'000, &sample) || sample == 0)) {
            return "COWSCOPE_SAMPLE is neither auto nor a number from 1 to 1000000000";
        }
        options->sample = static_cast<uint32_t>(sample);
    }
    if (const char* text = value_of(environment, "COWSCOPE_MAX_STACK")) {
        uint64_t depth = 0;
        if (!parse_decimal(text, trace::kMaxStackDepth, &depth) || depth == 0) {
            return "COWSCOPE_MAX_STACK is no number from 1 to 512";
        }
        options->max_stack = static_cast<uint32_t>(depth);
    }
    const char* max_trace = value_of(environment, "COWSCOPE_MAX_TRACE");
    if (max_trace != nullptr && *max_trace != '\0') {
        if (!parse_size(max_trace, &options->max_trace) ||
            options->max_trace < trace::kLeastMaxTrace) {
            return "COWSCOPE_MAX_TRACE is no size of at least 1M, as in 512M, 2G or 1500000";
        }
    }
    if (const char* text = value_of(environment, "COWSCOPE_VALUES")) {
        if (!same_text(text, "0") && !same_text(text, "1"))
            return "COWSCOPE_VALUES is none of 0, 1";
        options->values = same_text(text, "1");
    }
    if (const char* text = value_of(environment, "COWSCOPE_RECORDER")) {
        uint64_t recorder = 0;
        if (!parse_decimal(text, INT32_MAX, &recorder)) return "COWSCOPE_RECORDER is no process";
        options->recorder = static_cast<pid_t>(recorder);
    }
    if (const char* text = value_of(environment, "COWSCOPE_FILTERS")) {
        uint64_t filters = 0;
        if (!parse_decimal(text, INT32_MAX, &filters)) return "COWSCOPE_FILTERS is no number";
        options->filters = static_cast<uint32_t>(filters);
    }
    const char* folder = value_of(environment, "COWSCOPE_OUTPUT");
    if (folder != nullptr) options->folder.add(folder);
    return options->folder.truncated() ? kTooLong : nullptr;
}

const char* complete_folder(pid_t pid, Options* options) {
    if (options->folder.c_str()[0] == '/') return nullptr;
    const FixedText<PATH_MAX> given = options->folder;
    options->folder.clear();
    if (!add_working_folder(&options->folder)) return "the working folder has no path";
    if (given.empty()) {
        add_default_folder_name(pid, &options->folder);
    } else {
        options->folder.add(given.c_str());
    }
    return options->folder.truncated() ? kTooLong : nullptr;
}

}  // namespace cowscope::session
