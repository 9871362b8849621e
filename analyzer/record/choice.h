// What --tracker or --witness says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "record/instruments.h"

namespace cowscope::record {

// The best one that can be used here (automatic), none (off), or one by its name.
class Choice {
  public:
    Choice() = default;  // automatic
    explicit Choice(const Instrument& instrument) : instrument_(&instrument) {}
    static Choice off();

    bool is_automatic() const { return instrument_ == nullptr && !is_off_; }
    bool is_off() const { return is_off_; }
    const Instrument* instrument() const { return instrument_; }  // nullptr: automatic or off
    // Spelled as on the command line and in the environment.
    std::string_view name() const;

    bool operator==(const Choice&) const = default;

  private:
    const Instrument* instrument_ = nullptr;
    bool is_off_ = false;
};

// "auto", the names of the instruments, "off".
std::vector<std::string> choice_names(Instruments instruments);

// `source` names the option or variable in the cowscope::Error that is thrown for a text that is
// none of choice_names().
Choice parse_choice(Instruments instruments, std::string_view source, std::string_view text);

}  // namespace cowscope::record
