# cpack runs this on the installed files, before it packs them: what Debian has otherwise than
# `cmake --install`.
find_program(shlibdeps dpkg-shlibdeps)
if(NOT shlibdeps)
    # cpack itself would go on, and name no library among the package's needs.
    message(FATAL_ERROR "dpkg-shlibdeps is missing, which finds the libraries that the package needs: "
        "it is in Debian's dpkg-dev")
endif()

find_program(strip strip REQUIRED)

set(usr ${CPACK_TEMPORARY_DIRECTORY}/usr)
set(doc ${usr}/share/doc/cowscope)

function(compress file)
    # Without the time, so that the same files make the same package.
    execute_process(COMMAND gzip -9n ${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# In usr/lib itself a folder of libraries makes cpack call ldconfig, which has nothing to do with it.
set(libraries ${usr}/lib/x86_64-linux-gnu)
file(MAKE_DIRECTORY ${libraries})
file(RENAME ${usr}/lib/cowscope ${libraries}/cowscope)
execute_process(COMMAND ${strip} --strip-unneeded --remove-section=.comment --remove-section=.note
    ${usr}/bin/cowscope ${libraries}/cowscope/libcowscope.so COMMAND_ERROR_IS_FATAL ANY)

compress(${usr}/share/man/man1/cowscope.1)
configure_file(${CPACK_COWSCOPE_PACKAGING}/changelog ${doc}/changelog @ONLY)
compress(${doc}/changelog)
# Its text is in copyright.
file(REMOVE ${doc}/LICENSE)
file(CREATE_LINK copyright ${doc}/LICENSE SYMBOLIC)
# Debian's zsh looks there.
file(RENAME ${usr}/share/zsh/site-functions ${usr}/share/zsh/vendor-completions)
file(MAKE_DIRECTORY ${usr}/share/lintian/overrides)
file(COPY_FILE ${CPACK_COWSCOPE_PACKAGING}/lintian-overrides ${usr}/share/lintian/overrides/cowscope)

# Whatever the umask of who packs.
set(all_read OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
set(all_enter ${all_read} OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
file(CHMOD ${usr} DIRECTORY_PERMISSIONS ${all_enter})
file(CHMOD_RECURSE ${usr}/bin ${usr}/lib DIRECTORY_PERMISSIONS ${all_enter})
file(CHMOD_RECURSE ${usr}/share FILE_PERMISSIONS ${all_read} DIRECTORY_PERMISSIONS ${all_enter})
