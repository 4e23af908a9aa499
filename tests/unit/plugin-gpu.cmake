# SPDX-License-Identifier: MIT
# Unit tests of what finds and chooses GPUs, and of what reads the server's log about them.

# Machines from text files, as the operations of a sysroot.
add_library(support_fixture_tree OBJECT ${CMAKE_CURRENT_LIST_DIR}/../support/fixture_tree.c)
target_include_directories(support_fixture_tree PUBLIC ${CMAKE_CURRENT_LIST_DIR}/../support)
target_link_libraries(support_fixture_tree PUBLIC plugin_engine PkgConfig::CHECK PRIVATE gr_flags)

foreach(module IN ITEMS amdgpu devlog gpu_select gpu_support sysroot)
  gr_unit_test(${module} ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c
    LIBS plugin_engine support_fixture_tree scratch)
  target_compile_definitions(test_${module} PRIVATE
    TEST_FIXTURES="${PROJECT_SOURCE_DIR}/tests/fixtures/amdgpu"
    TEST_DEVLOGS="${PROJECT_SOURCE_DIR}/tests/fixtures/devlog")
endforeach()
