# SPDX-License-Identifier: MIT
# Unit tests of what finds and chooses GPUs, and of what reads the server's log about them.

# Machines from text files and from parts, as the operations of a sysroot.
add_library(support_gpu_machine OBJECT
  ${CMAKE_CURRENT_LIST_DIR}/../support/fixture_tree.c ${CMAKE_CURRENT_LIST_DIR}/../support/gpu_machine.c)
target_include_directories(support_gpu_machine PUBLIC ${CMAKE_CURRENT_LIST_DIR}/../support)
target_link_libraries(support_gpu_machine PUBLIC plugin_engine PkgConfig::CHECK PRIVATE gr_flags)

foreach(name IN ITEMS
    amdgpu amdgpu_faults amdgpu_kinds amdgpu_memory amdgpu_reasons amdgpu_walk devlog gpu_support sysroot)
  gr_unit_test(${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c LIBS plugin_engine support_gpu_machine scratch)
  target_compile_definitions(test_${name} PRIVATE
    TEST_FIXTURES="${PROJECT_SOURCE_DIR}/tests/fixtures/amdgpu"
    TEST_DEVLOGS="${PROJECT_SOURCE_DIR}/tests/fixtures/devlog")
endforeach()

# Scans that are written down.
add_library(support_gpu_scan OBJECT ${CMAKE_CURRENT_LIST_DIR}/../support/gpu_scan.c)
target_include_directories(support_gpu_scan PUBLIC ${CMAKE_CURRENT_LIST_DIR}/../support)
target_link_libraries(support_gpu_scan PUBLIC plugin_engine PkgConfig::CHECK PRIVATE gr_flags)

foreach(name IN ITEMS gpu_mask gpu_select gpu_verify)
  gr_unit_test(${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c LIBS plugin_engine support_gpu_scan)
endforeach()
