#include "report/frame_text.h"
#include "report/json_value.h"
#include "report/report.h"

namespace cowscope::report {
namespace {

using namespace attribute;

Json to_json_value(const ProcessSummary& process) {
    return {{"pid", process.pid},
            {"parent", process.parent},
            {"role", process.role},
            {"command", process.command},
            {"start_ns", process.start_ns},
            {"end_ns", process.end_ns},
            {"exit", {{"kind", process.exit_kind}, {"value", process.exit_value}}},
            {"census", process.census},
            {"census_age_ns", process.census_age_ns},
            {"bound_ns", process.bound_ns},
            {"inherited_pages", process.inherited_pages},
            {"inherited_at_least", process.inherited_at_least},
            {"copied_at_least", process.copied_at_least},
            {"copied_pages", process.copied_pages},
            {"fresh_pages", process.fresh_pages},
            {"held_alone_pages", process.held_alone_pages},
            {"witnessed_pages", process.witnessed_pages},
            {"represented_pages", process.represented_pages},
            {"copied_pages_margin", process.copied_pages_margin},
            {"reused_pages", process.reused_pages},
            {"alone_ns", process.alone_ns ? Json(*process.alone_ns) : Json(nullptr)},
            {"lost_events", process.lost_events},
            {"private_dirty_kb_at_fork", process.private_dirty_kb_at_fork},
            {"private_dirty_kb_at_end", process.private_dirty_kb_at_end},
            {"pss_kb_at_fork", process.pss_kb_at_fork},
            {"pss_kb_at_end", process.pss_kb_at_end}};
}

Json to_json_value(const CauseShare& cause, uint64_t page_size) {
    Json types = Json::array();
    for (const TypeShare& type : cause.types) {
        types.push_back(
            {{"type", type.type}, {"pages", type.pages}, {"pages_margin", type.margin}});
    }
    return {{"cause", cause_name(cause.cause)}, {"pages", cause.pages},
            {"bytes", cause.pages * page_size}, {"share", cause.share},
            {"pages_margin", cause.margin},     {"types", std::move(types)}};
}

// Innermost first.
Json runtime_frames(const FrameStack& stack) {
    Json frames = Json::array();
    for (const Frame* frame : stack.frames) {
        if (!frame->is_runtime) continue;
        frames.push_back(
            {{"function", frame->function}, {"file", frame->file}, {"line", frame->line}});
    }
    return frames;
}

Json native_stack(const FrameStack& stack) {
    Json lines = Json::array();
    for (size_t i = 0; i < line_count(stack); ++i) lines.push_back(text_of_line(stack, i).whole());
    return lines;
}

Json mixed_stack(const FrameStack& stack) {
    Json frames = Json::array();
    for (const Frame* frame : stack.frames) frames.push_back(text_of(*frame).whole());
    return frames;
}

Json to_json_value(const SiteShare& site) {
    return {{"cause", cause_name(site.cause)},
            {"pages", site.pages},
            {"pages_margin", site.margin},
            {"module", site.code.module},
            {"function", site.code.function},
            {"inlined", site.code.inlined},
            {"file", site.code.file},
            {"line", site.code.line},
            {"instruction", site.code.instruction},
            {"evidence", site.evidence},
            {"stack", native_stack(site.native_stack)},
            {"python", runtime_frames(site.mixed_stack)},
            {"type", site.type},
            {"examples", site.examples},
            {"mixed_stack", mixed_stack(site.mixed_stack)},
            {"finalizing", site.finalizing}};
}

Json to_json_value(const AfterBound& after) {
    Json sites = Json::array();
    for (const AggregateSite& site : after.sites) {
        sites.push_back({{"copies", site.copies},
                         {"share", site.share},
                         {"module", site.code.module},
                         {"function", site.code.function},
                         {"file", site.code.file},
                         {"line", site.code.line},
                         {"python", runtime_frames(site.runtime_stack)},
                         {"stack", native_stack(site.native_stack)}});
    }
    return {{"limit_bytes", after.limit_bytes},
            {"reached_ns", after.reached_ns},
            {"processes", after.processes},
            {"processes_without_witness", after.unwitnessed_processes},
            {"programs_not_recorded", after.programs_not_recorded},
            {"copies", after.copies},
            {"witnessed", after.witnessed},
            {"without_site", after.unplaced_copies},
            {"by_kernel", after.kernel_copies},
            {"late", after.late_copies},
            {"sites", std::move(sites)}};
}

}  // namespace

Json to_json_value(const Report& report) {
    Json json = {{"schema", "cowscope.report/1"}, {"trace", report.trace},
                 {"command", report.command},     {"duration_ns", report.duration_ns},
                 {"page_size", report.page_size}, {"tracker", report.tracker},
                 {"witness", report.witness},     {"sample", report.sample},
                 {"notes", report.notes}};
    const Totals& totals = report.totals;
    json["totals"] = {{"processes", totals.processes},
                      {"inherited_pages", totals.inherited_pages},
                      {"inherited_at_least", totals.inherited_at_least},
                      {"copied_at_least", totals.copied_at_least},
                      {"copied_pages", totals.copied_pages},
                      {"copied_bytes", totals.copied_pages * report.page_size},
                      {"fresh_pages", totals.fresh_pages},
                      {"held_alone_pages", totals.held_alone_pages},
                      {"witnessed_pages", totals.witnessed_pages},
                      {"represented_pages", totals.represented_pages},
                      {"sampled_events", totals.sampled_events},
                      {"copied_pages_margin", totals.copied_pages_margin},
                      {"explained", totals.explained},
                      {"lost_events", totals.lost_events},
                      {"finalization_pages", totals.finalization_pages}};
    json["processes"] = Json::array();
    for (const auto& process : report.processes) {
        json["processes"].push_back(to_json_value(process));
    }
    json["causes"] = Json::array();
    for (const auto& cause : report.causes) {
        json["causes"].push_back(to_json_value(cause, report.page_size));
    }
    json["sites"] = Json::array();
    for (const auto& site : report.sites) json["sites"].push_back(to_json_value(site));
    json["owners"] = Json::array();
    for (const auto& owner : report.owners) {
        Json causes = Json::array();
        for (const auto& cause : owner.causes) {
            causes.push_back({{"cause", cause_name(cause.cause)}, {"pages", cause.pages}});
        }
        Json types = Json::array();
        for (const auto& type : owner.types) {
            types.push_back({{"type", type.type}, {"pages", type.pages}});
        }
        json["owners"].push_back({{"owner", owner.owner},
                                  {"pages", owner.pages},
                                  {"pages_with", owner.pages_with},
                                  {"share", owner.share},
                                  {"pages_margin", owner.margin},
                                  {"causes", std::move(causes)},
                                  {"types", std::move(types)}});
    }
    json["advice"] = Json::array();
    for (const auto& advice : report.advice) {
        json["advice"].push_back({{"kind", advice.kind},
                                  {"owner", advice.owner},
                                  {"pages", advice.pages},
                                  {"share", advice.share},
                                  {"text", advice.text}});
    }
    json["timeline"] = Json::array();
    for (const auto& point : report.timeline) {
        json["timeline"].push_back(
            {{"pid", point.pid}, {"t_ns", point.time_ns}, {"copied_pages", point.copied_pages}});
    }
    if (report.after_bound) json["after_bound"] = to_json_value(*report.after_bound);
    return json;
}

std::string to_json(const Report& report) {
    return json_text(to_json_value(report), 2) + "\n";
}

}  // namespace cowscope::report
