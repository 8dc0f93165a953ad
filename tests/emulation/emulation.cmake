# test_emulated: kernels for instructions that this processor may lack, from their own sources, for tests only. SIMDe
# (https://github.com/simd-everywhere/simde) stands in for <immintrin.h>.
find_path(SIMDE_INCLUDE_DIR simde/x86/avx512.h)
mark_as_advanced(SIMDE_INCLUDE_DIR)
# Not under sanitizers: compiling takes minutes, and what they would see the real instructions' build shows too.
if(SIMDE_INCLUDE_DIR AND NOT QMT_SANITIZE AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  file(GLOB emulated CONFIGURE_DEPENDS tests/emulation/*.c)
  add_library(test_emulated STATIC ${emulated})
  target_include_directories(test_emulated BEFORE PRIVATE ${CMAKE_SOURCE_DIR}/tests/emulation)
  target_include_directories(test_emulated PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_include_directories(test_emulated SYSTEM PRIVATE ${SIMDE_INCLUDE_DIR})
  target_compile_options(test_emulated PRIVATE -mavx2 -mfma -Wno-psabi)
  target_link_libraries(test_emulated PRIVATE qmt_flags ${runtime})
  target_compile_definitions(test_emulated INTERFACE TEST_EMULATED)
endif()
