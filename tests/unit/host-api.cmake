# SPDX-License-Identifier: MIT
set(host_api_support ${CMAKE_CURRENT_LIST_DIR}/../support)

add_library(scratch STATIC ${host_api_support}/scratch.c)
target_include_directories(scratch PUBLIC ${host_api_support})
target_link_libraries(scratch PRIVATE gr_flags)

add_library(failmalloc OBJECT ${host_api_support}/failmalloc.c)
target_include_directories(failmalloc PUBLIC ${host_api_support})
target_link_libraries(failmalloc PRIVATE gr_flags)
target_link_options(failmalloc PUBLIC -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)

foreach(name discover trust select loader routing registry session)
  set(source ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  gr_unit_test(${name} ${source} LIBS inference_objects scratch failmalloc)
  set_source_files_properties(${source} PROPERTIES COMPILE_DEFINITIONS
    TEST_BACKENDS="$<TARGET_FILE_DIR:backend_echo>")
endforeach()
