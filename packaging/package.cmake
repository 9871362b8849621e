# What `cmake --install` puts where, and the Debian package of it (cpack, in the build folder).
include(GNUInstallDirs)
# The program finds the library from where it lies itself: ../lib/cowscope.
install(TARGETS cowscope RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS cowscope_shim LIBRARY DESTINATION lib/cowscope)
set(packaging ${CMAKE_CURRENT_LIST_DIR})
install(FILES ${packaging}/cowscope.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
# Each shell's own names for these folders, below the same prefix.
set(completions ${packaging}/completions)
install(FILES ${completions}/cowscope.bash RENAME cowscope
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${completions}/_cowscope DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${completions}/cowscope.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES README.md LICENSE ${packaging}/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
# The workload that the README begins with, at the place that it names.
install(FILES workloads/python/string_map.py
    DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/workloads/python)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME cowscope)
# A packager's own address: cmake -DCOWSCOPE_MAINTAINER=...
set(COWSCOPE_MAINTAINER "The cowscope developers <cowscope@localhost>" CACHE STRING
    "The maintainer that the Debian package names")
set(CPACK_PACKAGE_CONTACT ${COWSCOPE_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "profiler for the copy-on-write cost of fork()")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "After fork(), a child shares its parent's memory page by page, and the first
write to a page copies it. cowscope tells which pages each process copied, who
wrote them (in Python programs down to the line), why, and which variable they
belong to.
.
The program that is profiled needs no change and no debugger: a small library
is preloaded into it.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# The workload, and the interpreter's functions and lines in the report.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3, python3-dbg")
set(CPACK_PRE_BUILD_SCRIPTS ${packaging}/debian/finish.cmake)
set(CPACK_COWSCOPE_PACKAGING ${packaging}/debian)
include(CPack)
