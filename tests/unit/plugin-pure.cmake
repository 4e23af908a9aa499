# SPDX-License-Identifier: MIT
# Unit tests of the plugin's pure modules, and of those that find and read models.

# Makes allocations of the test's own objects fail on demand.
add_library(support_failmalloc OBJECT ${CMAKE_CURRENT_LIST_DIR}/../support/failmalloc.c)
target_include_directories(support_failmalloc PUBLIC ${CMAKE_CURRENT_LIST_DIR}/../support)
target_link_libraries(support_failmalloc PRIVATE gr_flags)
target_link_options(support_failmalloc INTERFACE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)

# Writes GGUF files for tests, and gives them to the reader from memory.
add_library(support_gguf_build OBJECT ${CMAKE_CURRENT_LIST_DIR}/../support/gguf_build.c)
target_include_directories(support_gguf_build PUBLIC ${CMAKE_CURRENT_LIST_DIR}/../support)
target_link_libraries(support_gguf_build PUBLIC plugin_engine PRIVATE gr_flags)

# Headers of well-known models, without their weights.
add_library(support_model_shapes OBJECT ${CMAKE_CURRENT_LIST_DIR}/../support/model_shapes.c)
target_link_libraries(support_model_shapes PUBLIC support_gguf_build PRIVATE gr_flags)

# The test stands between modelfile and the kernel, to make reads fail.
add_library(support_wrap_pread INTERFACE)
target_link_options(support_wrap_pread INTERFACE -Wl,--wrap=pread)

set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/test_gguf.c ${CMAKE_CURRENT_LIST_DIR}/test_modelfile.c
  PROPERTIES COMPILE_DEFINITIONS
  "GR_SAMPLE_MODEL=\"${PROJECT_SOURCE_DIR}/sample-host/models/austen-2m-q8_0.gguf\"")

foreach(module IN ITEMS buf sse utf8 stop)
  gr_unit_test(${module} ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c LIBS plugin_engine support_failmalloc)
endforeach()
gr_unit_test(gguf ${CMAKE_CURRENT_LIST_DIR}/test_gguf.c LIBS support_gguf_build plugin_engine support_failmalloc)
gr_unit_test(modelfile ${CMAKE_CURRENT_LIST_DIR}/test_modelfile.c
  LIBS plugin_engine support_failmalloc support_wrap_pread)
foreach(module IN ITEMS fit modelreport)
  gr_unit_test(${module} ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c
    LIBS support_model_shapes support_gguf_build plugin_engine)
endforeach()
foreach(module IN ITEMS split modelname)
  gr_unit_test(${module} ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c LIBS plugin_engine)
endforeach()
foreach(module IN ITEMS modelset models)
  gr_unit_test(${module} ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c
    LIBS support_gguf_build plugin_engine support_failmalloc scratch)
endforeach()
