# Kernel tables for single processor families. Each file is compiled for its family, and used only where the processor has it
# (select.c). Elsewhere the file is empty.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
    set(avx2_options -mavx2 -mfma)
  elseif(MSVC)
    set(avx2_options /arch:AVX2)
  endif()
  set_source_files_properties(src/runtime/kernels/avx2.c PROPERTIES COMPILE_OPTIONS "${avx2_options}")
  set_source_files_properties(src/runtime/kernels/select.c PROPERTIES COMPILE_DEFINITIONS QMT_KERNELS_AVX2)
endif()
