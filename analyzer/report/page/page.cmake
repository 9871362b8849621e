# The page of `cowscope html`: its libraries from the lock file, one bundle of them and src/, and
# the object that holds it.
find_program(COWSCOPE_NODE NAMES node nodejs)
find_program(COWSCOPE_NPM npm)
if(NOT COWSCOPE_NODE OR NOT COWSCOPE_NPM)
    message(FATAL_ERROR "node and npm, which bundle the page of `cowscope html`, are missing: "
        "scripts/setup installs them (Debian's nodejs and npm)")
endif()

set(page_source ${CMAKE_CURRENT_LIST_DIR})
set(page_build ${CMAKE_CURRENT_BINARY_DIR}/page)
file(MAKE_DIRECTORY ${page_build})

add_custom_command(
    OUTPUT ${page_build}/libraries.stamp
    COMMAND ${CMAKE_COMMAND} -E copy ${page_source}/package.json ${page_source}/package-lock.json
        ${page_build}
    COMMAND ${COWSCOPE_NPM} ci --loglevel=error --ignore-scripts --no-audit --no-fund --prefer-offline
    COMMAND ${CMAKE_COMMAND} -E touch ${page_build}/libraries.stamp
    DEPENDS ${page_source}/package.json ${page_source}/package-lock.json
    WORKING_DIRECTORY ${page_build}
    COMMENT "Fetching the page's libraries"
    VERBATIM)

file(GLOB page_files CONFIGURE_DEPENDS ${page_source}/src/*)
add_custom_command(
    OUTPUT ${page_build}/page_head.html ${page_build}/page_tail.html
    # Sources find the libraries there, which keeps the source folder as it is.
    COMMAND ${CMAKE_COMMAND} -E env NODE_PATH=${page_build}/node_modules
        ${COWSCOPE_NODE} ${page_source}/bundle.mjs ${page_build}
    DEPENDS ${page_build}/libraries.stamp ${page_source}/bundle.mjs ${page_source}/page.html
        ${page_files}
    COMMENT "Bundling the page"
    VERBATIM)

set(COWSCOPE_PAGE_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/report/page_parts.S)
set_source_files_properties(${COWSCOPE_PAGE_SOURCES} PROPERTIES
    INCLUDE_DIRECTORIES ${page_build}
    # The assembler's .incbin knows its own option only.
    COMPILE_OPTIONS "-Wa,-I${page_build}"
    OBJECT_DEPENDS "${page_build}/page_head.html;${page_build}/page_tail.html")
