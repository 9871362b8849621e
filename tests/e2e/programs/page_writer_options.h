// Options of page_writer, which its first comment explains.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "page_writer: %s: %s\n", what, std::strerror(errno));
    std::_Exit(99);
}

struct Options {
    uint32_t pages = 512;
    uint32_t children = 1;
    std::string fork = "fork";
    std::string write = "store";
    std::string end = "exit";
    std::string parent_end = "return";
    uint32_t fresh = 0;
    uint32_t stack_step = 0;
    uint32_t status = 0;
    uint32_t signal = SIGTERM;
    bool kill = false;
    uint32_t seed = 0;
    bool parent_writes = false;
};

inline uint32_t number(const char* text) {
    char* end = nullptr;
    const unsigned long value = std::strtoul(text, &end, 10);
    if (end == text || *end != '\0') fail(text);
    return static_cast<uint32_t>(value);
}

inline Options parse_options(int argc, char** argv) {
    Options options;
    const std::map<std::string, std::string*> texts = {{"--fork", &options.fork},
                                                       {"--write", &options.write},
                                                       {"--end", &options.end},
                                                       {"--parent-end", &options.parent_end}};
    const std::map<std::string, uint32_t*> numbers = {
        {"--pages", &options.pages},   {"--children", &options.children},
        {"--fresh", &options.fresh},   {"--stack-step", &options.stack_step},
        {"--status", &options.status}, {"--signal", &options.signal},
        {"--kill", &options.seed}};
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (option == "--parent-writes") {
            options.parent_writes = true;
            continue;
        }
        if (option == "--kill") options.kill = true;
        if (++i == argc) fail(option.c_str());
        if (texts.count(option) != 0) {
            *texts.at(option) = argv[i];
        } else if (numbers.count(option) != 0) {
            *numbers.at(option) = number(argv[i]);
        } else {
            fail(option.c_str());
        }
    }
    return options;
}
