# What `cmake --install` puts where, and the Debian package of it (cpack, in the build folder).
include(GNUInstallDirs)
# The program finds the library from where it lies itself: ../lib/cowscope.
install(TARGETS cowscope RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS cowscope_shim LIBRARY DESTINATION lib/cowscope)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME cowscope)
set(CPACK_PACKAGE_CONTACT "The cowscope developers <cowscope@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "profiler for what fork() really costs")
set(CPACK_PACKAGE_DESCRIPTION
    "After fork(), a child shares its parent's memory page by page, and the first write to a page
copies it. cowscope tells which pages each process copied, who wrote them (also which line of a
Python program), why, and which variable they belong to.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
# Of the program's own libraries; needs dpkg-shlibdeps (the package dpkg-dev).
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
include(CPack)
