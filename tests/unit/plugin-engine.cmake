# SPDX-License-Identifier: MIT
# Unit tests of the plugin's modules that start, watch and talk to the server, and of the small ones around them.
set(engine_support ${CMAKE_CURRENT_LIST_DIR}/../support)

add_library(test_process STATIC ${engine_support}/process.c)
target_include_directories(test_process PUBLIC ${engine_support})
target_link_libraries(test_process PRIVATE PkgConfig::CHECK gr_flags)

# Runs with the environment, descriptors and limits that a test gives it, so no sanitizer is linked into it.
add_executable(child_probe ${engine_support}/child_probe.c)
target_compile_definitions(child_probe PRIVATE _GNU_SOURCE)
target_compile_options(child_probe PRIVATE -Wall -Wextra -Wshadow)

foreach(module IN ITEMS
    amdgpu chat diagnose fail http launch options rundir sampling server slots spawn strv supervisor wire)
  gr_unit_test(${module} ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c
    LIBS plugin_engine test_failmalloc test_process scratch)
endforeach()

foreach(module IN ITEMS spawn supervisor)
  target_compile_definitions(test_${module} PRIVATE TEST_CHILD_PROBE="$<TARGET_FILE:child_probe>")
  add_dependencies(test_${module} child_probe)
endforeach()
