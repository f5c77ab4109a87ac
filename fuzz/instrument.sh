#!/bin/sh
# Stands in front of the compiler for our own crates (RUSTC_WORKSPACE_WRAPPER) and asks for what libFuzzer
# needs: which branches were taken, and what was compared. These are options of LLVM that a stable
# compiler passes on; sanitizers, which it does not, are not used.
exec "$@" --cfg fuzzing -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
